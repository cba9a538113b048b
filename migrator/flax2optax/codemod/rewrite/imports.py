"""Imports of the new text: lines added where the file would have them, orphans removed, supports put below."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from flax2optax.codemod.rewrite.import_blocks import below_imports, places_for
from flax2optax.codemod.rewrite.lines import Lines, Patch, patched
from flax2optax.codemod.rewrite.orphans import Orphans
from flax2optax.codemod.rewrite.supports import styled
from flax2optax_rules import SUPPORT


def settle_imports(
    text: str,
    original: str,
    lines: Iterable[str],
    supports: Sequence[str],
    newline: str,
    gone: tuple[str, ...],
) -> str:
    """Remove imports that lost their last use, add the new ones, write supports below them."""
    try:
        tree = ast.parse(text)
        orphans = Orphans(tree, ast.parse(original), gone)
    except SyntaxError:
        return text  # the self-check tells
    source = Lines(text)
    needed = [*lines, *(line for name in supports for line in SUPPORT[name].imports)]
    added = places_for(tree, source, orphans, list(dict.fromkeys(needed)))
    patches = [
        *(Patch(at, at, _whole_line(source, at, line, newline)) for at, line in added),
        *orphans.removals(source),
    ]
    if not supports:
        return patched(source, patches)
    below = max([below_imports(tree, source, orphans, {*supports}), *(at for at, _ in added)])
    return _with_supports(text, source, patches, below, [*supports], newline)


def _whole_line(source: Lines, at: int, line: str, newline: str) -> str:
    unfinished = at == len(source.data) and source.data and not source.data.endswith(b"\n")
    return (newline if unfinished else "") + line + newline


def _with_supports(
    text: str, source: Lines, patches: list[Patch], below: int, names: list[str], newline: str
) -> str:
    """Two empty lines above each, as between functions."""
    head = patched(source, [one for one in patches if one.end <= below], end=below)
    tail = patched(source, [one for one in patches if one.end > below], start=below)
    gap = newline * 3
    for name in names:
        head = head.rstrip() + gap + styled(SUPPORT[name].source, text).replace("\n", newline)
    rest = tail.lstrip("\r\n")
    return head + (gap + rest if rest else newline)
