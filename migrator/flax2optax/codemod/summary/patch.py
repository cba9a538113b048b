"""A patch in bytes that `git apply` takes: carriage returns, encodings and a missing last line end included."""

import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from flax2optax.codemod.outcome import FileChange

_CONTEXT = 3
_NO_NEWLINE = b"\n\\ No newline at end of file\n"
_ESCAPES = {
    **{byte: f"\\{byte:03o}".encode() for byte in (*range(32), *range(127, 256))},
    **dict(zip(b'\a\b\t\n\v\f\r"\\', (b"\\" + c.encode() for c in 'abtnvfr"\\'), strict=True)),
}


def patch(changes: Iterable[FileChange], here: Path) -> bytes:
    """Return one patch for all the changes. Paths begin at the repository's top, outside of one at `here`."""
    ordered = sorted(changes, key=lambda change: change.source.display)
    return b"".join(part for change in ordered for part in _file(change, here))


def _file(change: FileChange, here: Path) -> Iterator[bytes]:
    before, after = _lines(change.source.data), _lines(change.encode())
    if before == after:
        return
    name = _name(change.source.path, here)
    old, new = _quoted(b"a/" + name), _quoted(b"b/" + name)
    yield b"diff --git %s %s\n--- %s\n+++ %s\n" % (old, new, _ended(old), _ended(new))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        yield _header(group)
        for line in _body(group, before, after):
            yield line if line.endswith(b"\n") else line + _NO_NEWLINE


def _lines(data: bytes) -> list[bytes]:
    """Git ends a line at a line feed and nowhere else."""
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _header(group: Sequence[tuple[str, int, int, int, int]]) -> bytes:
    first, last = group[0], group[-1]
    old, new = _range(first[1], last[2]), _range(first[3], last[4])
    return f"@@ -{old} +{new} @@\n".encode()


def _range(start: int, stop: int) -> str:
    length = stop - start
    begin = start + 1 if length else start
    return f"{begin}" if length == 1 else f"{begin},{length}"


def _body(
    group: Sequence[tuple[str, int, int, int, int]], before: list[bytes], after: list[bytes]
) -> Iterator[bytes]:
    for tag, old_from, old_to, new_from, new_to in group:
        if tag == "equal":
            yield from (b" " + line for line in before[old_from:old_to])
            continue
        yield from (b"-" + line for line in before[old_from:old_to])
        yield from (b"+" + line for line in after[new_from:new_to])


def _name(path: Path, here: Path) -> bytes:
    """Below neither top nor `here` there is no relative name that git would take."""
    for top in (_repository(here), _repository(path), here):
        if top is not None and path.is_relative_to(top):
            return os.fsencode(path.relative_to(top).as_posix())
    return os.fsencode(path.as_posix().lstrip("/"))


def _repository(path: Path) -> Path | None:
    return next((top for top in (path, *path.parents) if (top / ".git").exists()), None)


def _quoted(name: bytes) -> bytes:
    """As git quotes a name with control characters, quotes, backslashes or bytes beyond ASCII."""
    if not any(byte in _ESCAPES for byte in name):
        return name
    return b'"' + b"".join(_ESCAPES.get(byte, bytes([byte])) for byte in name) + b'"'


def _ended(name: bytes) -> bytes:
    """A tab ends a name that has spaces."""
    return name + b"\t" if b" " in name and not name.startswith(b'"') else name
