"""MigrationPlan → new text: the only stage that builds syntax; it decides nothing.

Edits are spliced into the bytes of the file, so everything that no edit names stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flax2optax.codemod.index.spans import Spans
from flax2optax.codemod.plan.edits import Edit
from flax2optax.codemod.rewrite.imports import settle_imports
from flax2optax.codemod.rewrite.splice import splice


@dataclass(frozen=True, slots=True)
class FileEdits:
    """All that happens to one file: edits, import lines it needs, sources written beside its imports."""

    edits: Sequence[Edit]
    imports: Iterable[str] = ()
    supports: Iterable[str] = ()


def rewrite(spans: Spans, wanted: FileEdits, gone: Iterable[str]) -> str:
    """Apply edits to one file; `gone` are dotted modules whose imports cannot stay."""
    newline = "\r\n" if "\r\n" in spans.data.decode() else "\n"
    text = splice(spans, wanted.edits, newline)
    original = spans.data.decode()
    return settle_imports(text, original, wanted.imports, wanted.supports, newline, tuple(gone))
