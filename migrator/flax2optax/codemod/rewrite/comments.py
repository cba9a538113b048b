"""Comments inside of what an edit replaces: they move above the statement, in their order."""

from __future__ import annotations

import io
import tokenize
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.spans import Span, Spans
from flax2optax.codemod.index.walk import everything
from flax2optax.codemod.plan.edits import Edit, Hole, InsertBefore, Replace, ReplaceStatement


def with_comments(spans: Spans, edits: Sequence[Edit]) -> list[Edit]:
    """Add to the edits the lines that keep the comments which no hole carries over."""
    replaced = [edit for edit in edits if not isinstance(edit, InsertBefore)]
    lost = [span for edit in replaced for span in _dropped(spans, edit)]
    if not lost:
        return list(edits)
    lines = _Lines(spans)
    comments = [
        InsertBefore(lines.of(edit.node), ((text,),))
        for offset, text in _comments(spans.data)
        for edit in _outermost(spans, replaced, offset)
        if any(span.start <= offset < span.end for span in lost)
    ]
    return [*comments, *edits]


def _outermost(
    spans: Spans, edits: Sequence[Replace | ReplaceStatement], offset: int
) -> list[Replace | ReplaceStatement]:
    around = [e for e in edits if spans.span(e.node).start <= offset < spans.span(e.node).end]
    return sorted(around, key=lambda e: spans.span(e.node).start)[:1]


def _dropped(spans: Spans, edit: Replace | ReplaceStatement) -> Iterator[Span]:
    """The parts of the replaced source that are in no hole, if there may be a comment in them."""
    whole = spans.span(edit.node)
    pieces = [edit.pieces] if isinstance(edit, Replace) else list(edit.lines)
    holes = [spans.span(one.node) for line in pieces for one in line if isinstance(one, Hole)]
    position = whole.start
    for hole in [*sorted(holes, key=lambda span: span.start), Span(whole.end, whole.end)]:
        if b"#" in spans.data[position : hole.start]:
            yield Span(position, hole.start)
        position = max(position, hole.end)


def _comments(data: bytes) -> Iterator[tuple[int, str]]:
    """Every comment with the byte at which it begins."""
    text = data.decode()
    starts = [0]
    lines = text.split("\n")
    for line in lines:
        starts.append(starts[-1] + len(line.encode()) + 1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            number, column = token.start
            yield (
                starts[number - 1] + len(lines[number - 1][:column].encode()),
                token.string.rstrip(),
            )


class _Lines:
    """The logical line of every node; a statement's number comes before those of its parts."""

    def __init__(self, spans: Spans) -> None:
        nodes = (node for node, _ in everything(spans.module))
        found = {node.id: node.line for node in nodes if isinstance(node, t.Statement)}
        self._ids = sorted(found)
        self._lines = found

    def of(self, node: t.NodeId) -> t.NodeId:
        return self._lines[self._ids[bisect_right(self._ids, node) - 1]]
