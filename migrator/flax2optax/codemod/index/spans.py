"""From node numbers back to places in the text; computed only for files that are reported or changed."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from flax2optax.codemod.diagnostic import Location
from flax2optax.codemod.index.positions import Positions
from flax2optax.codemod.index.program import Parsed


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of UTF-8 bytes."""

    start: int
    end: int


class Spans:
    """Byte spans of one file's nodes. Parentheses around an expression are outside its span."""

    def __init__(self, text: str, path: str, parsed: Parsed) -> None:
        self.data = text.encode()
        self.path = path
        self.module, self._nodes = parsed.module, parsed.nodes
        self.base = parsed.module.base
        self._positions = Positions(parsed.tree, text)

    def node(self, id_: int) -> cst.CSTNode:
        """The LibCST node with this number."""
        return self._nodes[id_ - self.base]

    def nodes(self) -> list[cst.CSTNode]:
        """Every numbered node, by number."""
        return self._nodes

    def span(self, id_: int) -> Span:
        """The bytes of a node, without the whitespace and parentheses around it."""
        return Span(*self._positions.span(self.node(id_)))

    def text(self, id_: int) -> str:
        """The source of a node."""
        span = self.span(id_)
        return self.data[span.start : span.end].decode()

    def location(self, id_: int) -> Location:
        """Lines and columns of a node."""
        span = self.span(id_)
        line, column = self._position(span.start)
        end_line, end_column = self._position(span.end)
        return Location(self.path, line, column, end_line, end_column)

    def _position(self, offset: int) -> tuple[int, int]:
        line = self.data.count(b"\n", 0, offset) + 1
        start = self.data.rfind(b"\n", 0, offset) + 1
        return line, len(self.data[start:offset].decode()) + 1
