"""Splicing edits into a file's bytes, outermost first, holes filled with their own edited source."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeGuard

import libcst as cst

from flax2optax.codemod.index.spans import Span, Spans
from flax2optax.codemod.plan.edits import (
    Edit,
    Hole,
    InsertBefore,
    Pieces,
    Replace,
    ReplaceStatement,
)
from flax2optax.codemod.rewrite.soft_breaks import breakable, limit_of, settle_breaks


def splice(spans: Spans, edits: Sequence[Edit], newline: str) -> str:
    """The new text of a file."""
    return _Splicer(spans, edits, newline).run()


def is_deletion(edit: Edit) -> TypeGuard[ReplaceStatement]:
    """Whether a statement goes and nothing comes."""
    return isinstance(edit, ReplaceStatement) and not edit.lines


def emptied(spans: Spans, lines: set[int]) -> set[int]:
    """The last line of each block whose lines all go."""
    if not lines:
        return set()
    nodes = {id(spans.node(line)): line for line in lines}
    return {
        nodes[id(block.body[-1])]
        for node in spans.nodes()
        for block in blocks(node)
        if all(id(statement) in nodes for statement in block.body)
    }


def blocks(node: cst.CSTNode) -> Iterator[cst.IndentedBlock]:
    """The indented blocks of a compound statement."""
    if not isinstance(node, cst.BaseCompoundStatement):
        return
    parts = [node, getattr(node, "orelse", None), getattr(node, "finalbody", None)]
    parts += [*getattr(node, "handlers", ()), *getattr(node, "cases", ())]
    for part in parts:
        body = getattr(part, "body", None)
        if isinstance(body, cst.IndentedBlock) and body.body:
            yield body


class _Splicer:
    def __init__(self, spans: Spans, edits: Sequence[Edit], newline: str) -> None:
        self.spans = spans
        self.newline = newline
        self.limit = limit_of(spans.data.decode())
        self.replaced: dict[int, Replace | ReplaceStatement] = {}
        self.places: list[tuple[int, int, int]] = []  # start, -end, node
        self.writing: list[int] = []
        self.inserts: list[tuple[int, InsertBefore]] = []
        for edit in edits:
            if isinstance(edit, InsertBefore):
                self.inserts.append((self.line_start(spans.span(edit.line).start), edit))
            elif edit.node not in self.replaced:
                span = self.place(edit)
                self.replaced[edit.node] = edit
                self.places.append((span.start, -span.end, edit.node))
        self.places.sort()
        self.emptied = emptied(spans, {e.line for e in edits if is_deletion(e)})
        self.inserts.sort(key=lambda item: item[0])

    def run(self) -> str:
        whole = Span(0, len(self.spans.data))
        pieces: list[bytes] = []
        position = 0
        for at, insert in self.inserts:
            pieces.append(self.render(Span(position, at)))
            pieces.append(self.inserted(insert).encode())
            position = at
        pieces.append(self.render(Span(position, whole.end)))
        return settle_breaks(b"".join(pieces).decode(), self.newline, self.limit)

    def place(self, edit: Replace | ReplaceStatement) -> Span:
        """What an edit takes the place of: its node, or the whole lines of a statement that goes."""
        span = self.spans.span(edit.node)
        if not is_deletion(edit):
            return span
        end = self.spans.data.find(b"\n", span.end)
        return Span(self.line_start(span.start), end + 1 if end >= 0 else len(self.spans.data))

    def line_start(self, offset: int) -> int:
        return self.spans.data.rfind(b"\n", 0, offset) + 1

    def indent(self, offset: int) -> str:
        """The white space before the first thing on the line of `offset`."""
        start = self.line_start(offset)
        line = self.spans.data[start:offset].decode()
        return line[: len(line) - len(line.lstrip())] if line.strip() else line

    def render(self, span: Span) -> bytes:
        """The edited source of a range, without the edits that are being written around it."""
        result: list[bytes] = []
        position = span.start
        index = bisect_left(self.places, (span.start,))
        while index < len(self.places) and self.places[index][0] < span.end:
            start, end, node = self.places[index][0], -self.places[index][1], self.places[index][2]
            index += 1
            if start < position or end > span.end or node in self.writing:
                continue
            result.append(self.spans.data[position:start])
            result.append(self.written(node).encode())
            position = end
        result.append(self.spans.data[position : span.end])
        return b"".join(result)

    def written(self, node: int) -> str:
        edit = self.replaced[node]
        indent = self.indent(self.spans.span(node).start)
        if is_deletion(edit):
            return self.left_over(edit, indent)
        lines = (edit.pieces,) if isinstance(edit, Replace) else edit.lines
        self.writing.append(node)
        text = (self.newline + indent).join(breakable(self.fill(line, indent)) for line in lines)
        self.writing.pop()
        return text

    def left_over(self, edit: ReplaceStatement, indent: str) -> str:
        """A deleted statement's trailing comment, and `pass` where its block has nothing else."""
        behind = self.spans.data[self.spans.span(edit.node).end : self.place(edit).end].decode()
        _, mark, comment = behind.partition("#")
        lines = [mark + comment.rstrip()] if mark else []
        if edit.line in self.emptied:
            lines.append("pass")
        end = behind[len(behind.rstrip("\r\n")) :]
        return "".join(indent + line + end for line in lines)

    def inserted(self, edit: InsertBefore) -> str:
        indent = self.indent(self.spans.span(edit.line).start)
        lines = (breakable(self.fill(line, indent)) for line in edit.lines)
        return "".join(indent + line + self.newline for line in lines)

    def fill(self, pieces: Pieces, indent: str) -> str:
        return "".join(
            self.hole(piece)
            if isinstance(piece, Hole)
            else piece.replace("\n", self.newline + indent)
            for piece in pieces
        )

    def hole(self, hole: Hole) -> str:
        if hole.node in self.replaced and hole.node not in self.writing:
            text = self.written(hole.node)
        else:
            text = self.render(self.spans.span(hole.node)).decode()
        parenthesised = bool(getattr(self.spans.node(hole.node), "lpar", ()))
        return f"({text})" if hole.wrap or parenthesised else text
