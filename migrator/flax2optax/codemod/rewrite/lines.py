"""The bytes of a text by the lines and columns of `ast`, and patches to them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes `start` up to but without `end` give way to `text`."""

    start: int
    end: int
    text: str


class Lines:
    """Byte offsets of a text; `ast` counts columns in bytes of UTF-8."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self._starts = [0, *(found.end() for found in _END.finditer(self.data))]

    def start(self, node: ast.stmt | ast.alias) -> int:
        """Return where a node begins."""
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.stmt | ast.alias) -> int:
        """Return where a node ends."""
        return self._starts[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)

    def text(self, node: ast.stmt | ast.alias) -> str:
        """Return the source of a node."""
        return self.data[self.start(node) : self.end(node)].decode()

    def line_start(self, node: ast.stmt) -> int:
        """Return where the first line of a node begins."""
        return self._starts[node.lineno - 1]

    def below(self, node: ast.stmt) -> int:
        """Return where the line after a node begins."""
        end = self.data.find(b"\n", self.end(node))
        return end + 1 if end >= 0 else len(self.data)

    def rest(self, node: ast.stmt) -> bytes:
        """Return what follows a node on its last line, without the line end."""
        return self.data[self.end(node) : self.below(node)].rstrip(b"\r\n")


def patched(
    source: Lines, patches: Iterable[Patch], *, start: int = 0, end: int | None = None
) -> str:
    """Apply patches to a part of the text; those at one place are applied in their order."""
    pieces: list[bytes] = []
    position = start
    for one in sorted(patches, key=lambda one: (one.start, one.end > one.start)):
        pieces += [source.data[position : one.start], one.text.encode()]
        position = one.end
    pieces.append(source.data[position:end])
    return b"".join(pieces).decode()
