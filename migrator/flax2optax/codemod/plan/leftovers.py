"""Imports of flax.optim that a file does not use: nothing of such a file can be imported any more either."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import everything
from flax2optax.codemod.plan.draft import Draft

GONE = "flax.optim"


def plan_leftovers(draft: Draft) -> None:
    """Find imports in files that no flow has anything to do with, and idle ones in others.

    Whoever imports them from there goes along.
    """
    concerned = {path for flow in draft.flows.values() for path in flow.files}
    program = draft.facts.program
    for path, module in list(program.modules.items()):
        found = [a for a in _imports(module) if path not in concerned or _is_idle(module, a)]
        if not found:
            continue
        flow = draft.file_flow(module)
        for alias in found:
            draft.find(flow, "FXO101", alias.id, "`flax.optim` was removed")
            if _is_exported(module, alias.bound):
                draft.stop(flow, "FXO101", alias.id, f"`{alias.bound}` is in `__all__`")
        flow.beside.update(dict.fromkeys(program.importers(path)))


def _imports(module: t.Module) -> Iterator[t.Alias]:
    """Every alias that imports flax.optim or something of it."""
    for statement in module.imports:
        for alias in statement.aliases if not statement.level else ():
            full = statement.full(alias)
            if full == GONE or full.startswith(GONE + "."):
                yield alias


def _is_idle(module: t.Module, alias: t.Alias) -> bool:
    """Whether no line of the file reads what an import binds."""
    return alias.bound not in module.names


def _is_exported(module: t.Module, name: str) -> bool:
    return "__all__" in module.bound and any(
        isinstance(node, t.Constant) and node.value == name for node, _ in everything(module)
    )
