"""Imports of the new text: lines added where the file would have them, orphans removed, supports put below."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

import libcst as cst
from flax2optax_rules import SUPPORT

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.spans import Spans

_FUTURE = "__future__"


@dataclass(frozen=True, slots=True)
class _Patch:
    start: int
    end: int
    text: str


def settle_imports(
    text: str, original: str, lines: Iterable[str], supports: Iterable[str], newline: str, gone: tuple[str, ...]
) -> str:
    """Remove imports that lost their last use, add the new ones, write supports below them."""
    text = _without_orphans(text, original, newline, gone)
    needed = dict.fromkeys(lines)
    for name in supports:
        needed.update(dict.fromkeys(SUPPORT[name].imports))
    for line in needed:
        text = _with_import(text, line, newline)
    for name in supports:
        text = _with_support(text, name, newline)
    return text


# Orphans


def _without_orphans(text: str, original: str, newline: str, gone: tuple[str, ...]) -> str:
    spans = Spans(text, "", 0)
    before = _used_names(original)
    after = _used_names(text)
    patches = []
    for statement in spans.module.imports:
        dead = [a for a in statement.aliases if _is_orphan(statement, a, before, after, gone)]
        if dead:
            patches.append(_removal(spans, statement, dead, after, newline))
    data = spans.data
    for patch in sorted(patches, key=lambda p: -p.start):
        data = data[: patch.start] + patch.text.encode() + data[patch.end :]
    return data.decode()


def _used_names(text: str) -> set[str]:
    """Names that are read, those in string annotations too."""
    used: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            used.update(re.findall(r"\b(\w+)(?=\.\w|\]|$|,)", node.value))
    return used


def _is_orphan(
    statement: t.Import, alias: t.Alias, before: set[str], after: set[str], gone: tuple[str, ...]
) -> bool:
    full = f"{statement.module}.{alias.name}" if statement.is_from else alias.name
    name = alias.asname or alias.name.split(".")[0]
    if statement.level:
        return False
    if any(full == g or full.startswith(g + ".") for g in gone):
        return True
    return name in before and name not in after


def _removal(
    spans: Spans, statement: t.Import, dead: list[t.Alias], after: set[str], newline: str
) -> _Patch:
    kept = [a for a in statement.aliases if a not in dead]
    span = spans.span(statement.id)
    if not statement.is_from and any(a.asname is None and a.name.split(".")[0] in after for a in dead):
        roots = {a.name.split(".")[0] for a in dead if a.name.split(".")[0] in after}
        names = [spans.text(a.id) for a in kept] + sorted(roots)
        return _Patch(span.start, span.end, "import " + ", ".join(names))
    if kept:
        return _thinned(spans, statement, dead)
    start = spans.data.rfind(b"\n", 0, span.start) + 1
    end = spans.data.find(b"\n", span.end)
    rest = spans.data[span.end : end if end >= 0 else len(spans.data)]
    if rest.strip() and not rest.strip().startswith(b"#"):  # `import a; import b`
        return _Patch(span.start, span.end + len(rest) - len(rest.lstrip(b"; ")), "")
    if b"\t" in spans.data[start : span.start] or spans.data[start : span.start].strip(b" ") == b"":
        comment = rest.strip().decode() if rest.strip().startswith(b"#") and not _pragma(rest) else ""
        if statement.line in _only_lines(spans, statement):
            return _Patch(span.start, span.end, "pass")
        if comment:
            return _Patch(span.start, span.end + len(rest), comment)
        return _Patch(start, (end + 1) if end >= 0 else len(spans.data), "")
    return _Patch(span.start, span.end, "pass")


def _pragma(rest: bytes) -> bool:
    """A comment that only speaks to a linter about this import."""
    return bool(re.match(rb"\s*#\s*(noqa|pylint|type:|pytype|isort|pyright|copybara|g-)", rest))


def _only_lines(spans: Spans, statement: t.Import) -> set[int]:
    """Lines that are the only statement of their block: removing them would leave it empty."""
    lines = set()
    node = spans.node(statement.line)
    for candidate in spans.nodes():
        body = getattr(candidate, "body", None)
        if isinstance(body, cst.IndentedBlock) and len(body.body) == 1 and body.body[0] is node:
            lines.add(statement.line)
    return lines


def _thinned(spans: Spans, statement: t.Import, dead: list[t.Alias]) -> _Patch:
    """Cut single aliases, with their commas, out of `from x import a, b, c`."""
    span = spans.span(statement.id)
    data = spans.data
    cuts: list[tuple[int, int]] = []
    order = list(statement.aliases)
    for alias in dead:
        place = spans.span(alias.id)
        index = order.index(alias)
        if index + 1 < len(order):
            cuts.append((place.start, spans.span(order[index + 1].id).start))
        else:
            previous = max(i for i in range(index) if order[i] not in dead)
            cuts.append((spans.span(order[previous].id).end, place.end))
    text = data[span.start : span.end]
    for start, end in sorted(cuts, reverse=True):
        text = text[: start - span.start] + text[end - span.start :]
    return _Patch(span.start, span.end, text.decode())


# New lines


def _with_import(text: str, line: str, newline: str) -> str:
    spans = Spans(text, "", 0)
    imports = [s for s in spans.module.body if isinstance(s, t.Import)]
    if any(spans.text(s.id) == line for s in imports):
        return text
    where = _place(spans, [s for s in imports if s.module != _FUTURE], _key(line))
    data = spans.data
    if where is None:
        where = _top(spans)
    head = data[:where]
    if head and not head.endswith(b"\n"):
        head += newline.encode()
    return (head + (line + newline).encode() + data[where:]).decode()


def _key(line: str) -> str:
    words = line.split()
    return words[1].lower() if words[0] == "import" else f"{words[1]}.{words[3]}".lower()


def _place(spans: Spans, imports: list[t.Import], key: str) -> int | None:
    """The byte at which the line goes: behind the last import of the best block that sorts before it."""
    blocks: list[list[t.Import]] = []
    end = -2
    for statement in imports:
        line = spans.location(statement.line).line
        if line != end + 1 or not blocks:
            blocks.append([])
        blocks[-1].append(statement)
        end = spans.location(statement.line).end_line
    if not blocks:
        return None
    block = max(blocks, key=lambda b: _affinity(b, key))
    behind = [s for s in block if _statement_key(s) <= key and not s.level]
    if behind:
        place = spans.data.find(b"\n", spans.span(behind[-1].line).end)
        return place + 1 if place >= 0 else len(spans.data)
    return spans.data.rfind(b"\n", 0, spans.span(block[0].line).start) + 1


def _statement_key(statement: t.Import) -> str:
    first = statement.aliases[0].name if statement.aliases else "*"
    return (f"{statement.module}.{first}" if statement.is_from else first).lower()


def _affinity(block: list[t.Import], key: str) -> int:
    roots = {_statement_key(s).split(".")[0] for s in block if not s.level}
    return 4 * (key.split(".")[0] in roots) + 2 * ("flax" in roots) + ("jax" in roots)


def _top(spans: Spans) -> int:
    """Below the docstring and `__future__`, where a file without imports takes its first one."""
    position = 0
    for statement in spans.module.body:
        docstring = (
            isinstance(statement, t.Evaluate) and statement.values and isinstance(statement.values[0], t.Constant)
        )
        if not docstring and not (isinstance(statement, t.Import) and statement.module == _FUTURE):
            break
        end = spans.data.find(b"\n", spans.span(statement.id).end)
        position = end + 1 if end >= 0 else len(spans.data)
    return position


# Supports


def _with_support(text: str, name: str, newline: str) -> str:
    spans = Spans(text, "", 0)
    position = _below_imports(spans)
    source = _styled(SUPPORT[name].source, text).rstrip("\n").replace("\n", newline)
    head = spans.data[:position].decode().rstrip()
    tail = spans.data[position:].decode().lstrip("\r\n")
    gap = newline * 3
    return head + gap + source + (gap + tail if tail else newline)


def _below_imports(spans: Spans) -> int:
    position = _top(spans)
    for statement in spans.module.body:
        if isinstance(statement, t.Import) or (
            isinstance(statement, t.Try) and any(isinstance(s, t.Import) for s in statement.body)
        ):
            end = spans.data.find(b"\n", spans.span(statement.id).end)
            position = end + 1 if end >= 0 else len(spans.data)
        elif isinstance(statement, t.Define):
            break
    return position


def _styled(source: str, text: str) -> str:
    """The source in the file's own indent and quotes."""
    unit = cst.parse_module(text).default_indent
    if unit != "  ":
        source = re.sub(r"^(  )+", lambda m: unit * (len(m[0]) // 2), source, flags=re.MULTILINE)
    if text.count('"') - 6 * text.count('"""') // 2 > text.count("'"):
        source = re.sub(r"'([^'\n]*)'", r'"\1"', source)
    return source
