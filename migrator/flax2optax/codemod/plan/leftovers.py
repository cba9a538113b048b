"""Imports of flax.optim in files that do not use it: nothing of such a file can be imported any more either."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import everything
from flax2optax.codemod.plan.draft import Draft

GONE = "flax.optim"


def plan_leftovers(draft: Draft) -> None:
    """Find imports in files that no flow has anything to do with; whoever imports them from there goes along."""
    concerned = {path for flow in draft.flows.values() for path in flow.files}
    program = draft.facts.program
    for path, module in list(program.modules.items()):
        found = [] if path in concerned else list(_imports(module))
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


def _is_exported(module: t.Module, name: str) -> bool:
    return "__all__" in module.bound and any(
        isinstance(node, t.Constant) and node.value == name for node, _ in everything(module)
    )
