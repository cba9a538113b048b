"""MigrationPlan → new text: the only stage that builds syntax; it decides nothing.

Edits are spliced into the bytes of the file, so everything that no edit names stays as it was.
Never: writes a file, touches one whose flows are not applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flax2optax.codemod.index.places import Places
from flax2optax.codemod.index.spans import Spans
from flax2optax.codemod.plan.edits import Edit, FlowPlan, InsertBefore, MigrationPlan
from flax2optax.codemod.rewrite.comments import with_comments
from flax2optax.codemod.rewrite.imports import settle_imports
from flax2optax.codemod.rewrite.splice import splice

# Modules whose imports cannot stay in a file that changes; nothing of those before Linen is left in one.
_GONE = ("flax.optim", "flax.nn", "flax.deprecated.nn")


@dataclass(frozen=True, slots=True)
class FileEdits:
    """All that happens to one file: edits, import lines it needs, sources written beside its imports."""

    edits: Sequence[Edit]
    imports: Iterable[str] = ()
    supports: Iterable[str] = ()


def rewrite(planned: MigrationPlan, places: Places) -> dict[str, str]:
    """Return the new text of every file that changes, by its real path."""
    applied = [flow for flow in planned.flows if flow.applied]
    texts: dict[str, str] = {}
    for path in dict.fromkeys(path for flow in applied for path in flow.files):
        wanted = _file_edits(path, [flow for flow in applied if path in flow.files], places)
        text = rewrite_file(places.spans(path), wanted)
        if text != places.files[path].text:
            texts[path] = text
    return texts


def rewrite_file(spans: Spans, wanted: FileEdits) -> str:
    """Apply edits to one file."""
    original = spans.data.decode()
    newline = "\r\n" if "\r\n" in original else "\n"
    text = splice(spans, with_comments(spans, wanted.edits), newline)
    return settle_imports(text, original, wanted.imports, list(wanted.supports), newline, _GONE)


def _file_edits(path: str, flows: Sequence[FlowPlan], places: Places) -> FileEdits:
    edits = [edit for flow in flows for edit in flow.edits if places.path(_place(edit)) == path]
    imports = dict.fromkeys(line for flow in flows for line in flow.imports.get(path, ()))
    supports = dict.fromkeys(name for flow in flows for name in flow.supports.get(path, ()))
    return FileEdits(edits, imports, supports)


def _place(edit: Edit) -> int:
    return edit.line if isinstance(edit, InsertBefore) else edit.node
