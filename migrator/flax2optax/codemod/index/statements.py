"""The lines of every statement: of a simple one all of it, of a compound one its head."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

Extent = tuple[int, int]  # first and last line, 1-based


class Statements:
    """Computed when first asked for; a text that this Python does not parse has no statements."""

    def __init__(self, text: str) -> None:
        self._text = text

    def around(self, line: int) -> Extent:
        """Return the innermost statement at a line; the line itself where there is none."""
        found = [one for one in self._extents if one[0] <= line <= one[1]]
        return max(found, default=(line, line))

    @cached_property
    def _extents(self) -> list[Extent]:
        try:
            tree = ast.parse(self._text)
        except (SyntaxError, ValueError, RecursionError):
            return []
        return [_extent(node) for node in _statements(tree)]


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def _extent(node: ast.stmt) -> Extent:
    first = min(part.lineno for part in (node, *getattr(node, "decorator_list", ())))
    inner = getattr(node, "body", None) or getattr(node, "cases", None)
    if not inner:
        return first, node.end_lineno or first
    body = inner[0].pattern.lineno if isinstance(node, ast.Match) else _extent(inner[0])[0]
    return first, max(first, node.lineno, body - 1)
