"""Where each LibCST node stands in its text, faster than with libcst's `ByteSpanPositionProvider`.

Source: `libcst.metadata.span_provider` of libcst 1.9; the same answers, counted in characters and then turned to bytes.
"""

from __future__ import annotations

from itertools import accumulate
from types import TracebackType

import libcst as cst
from libcst._nodes.internal import CodegenState


class Positions:
    """The byte ranges of every node of a tree."""

    def __init__(self, tree: cst.Module, text: str) -> None:
        state = _Writing(tree)
        tree._codegen(state)  # type: ignore[arg-type]
        self._spans = state.spans
        widths = () if text.isascii() else (len(character.encode()) for character in text)
        self._bytes = [0, *accumulate(widths)]

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """The first byte of a node, and the first one after it, without its whitespace and parentheses."""
        start, end = self._spans[id(node)]
        return self._byte(start), self._byte(end)

    def _byte(self, index: int) -> int:
        """A text without a last newline is written with one, of one byte for each of its characters."""
        last = len(self._bytes) - 1
        return self._bytes[min(index, last)] + max(index - last, 0)


class _Writing:
    """What a tree writes itself into: only how much it wrote is kept."""

    __slots__ = (
        "default_indent", "default_newline", "indent_tokens", "position", "provider", "spans", "stack",
    )  # fmt: skip
    increase_indent = CodegenState.increase_indent
    decrease_indent = CodegenState.decrease_indent

    def __init__(self, tree: cst.Module) -> None:
        self.default_indent, self.default_newline = tree.default_indent, tree.default_newline
        self.indent_tokens: list[str] = []
        self.provider = None
        self.position = 0
        self.stack: list[int] = []
        self.spans: dict[int, tuple[int, int]] = {}

    @property
    def tokens(self) -> range:
        """As long as what has been written; libcst asks whether that is nothing."""
        return range(self.position)

    def add_indent_tokens(self) -> None:
        for token in self.indent_tokens:
            self.position += len(token)

    def add_token(self, value: str) -> None:
        self.position += len(value)

    def before_codegen(self, node: cst.CSTNode) -> None:
        self.stack.append(self.position)

    def after_codegen(self, node: cst.CSTNode) -> None:
        start = self.stack.pop()
        if (
            id(node) not in self.spans
        ):  # else without its parentheses, by `record_syntactic_position`
            self.spans[id(node)] = (start, self.position)

    def pop_trailing_newline(self) -> None:
        """Nothing ends there."""

    def record_syntactic_position(
        self,
        node: cst.CSTNode,
        *,
        start_node: cst.CSTNode | None = None,
        end_node: cst.CSTNode | None = None,
    ) -> _Range:
        return _Range(self, node, start_node, end_node)


class _Range:
    """`with state.record_syntactic_position(node)`: what is written meanwhile is the node."""

    __slots__ = ("end_node", "node", "start", "start_node", "state")

    def __init__(
        self,
        state: _Writing,
        node: cst.CSTNode,
        start_node: cst.CSTNode | None,
        end_node: cst.CSTNode | None,
    ) -> None:
        self.state, self.node = state, node
        self.start_node, self.end_node = start_node, end_node
        self.start = 0

    def __enter__(self) -> None:
        self.start = self.state.position

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        spans, start, end = self.state.spans, self.start, self.state.position
        if self.start_node is not None:
            start = spans[id(self.start_node)][0]
        if self.end_node is not None:
            end = spans[id(self.end_node)][1]
        spans[id(self.node)] = (start, end)
