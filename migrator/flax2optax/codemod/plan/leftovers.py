"""Imports of flax.optim that a file does not use: nothing of such a file can be imported any more either."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import everything
from flax2optax.codemod.infer.values import ModuleRef
from flax2optax.codemod.plan.draft import Draft

GONE = "flax.optim"


def plan_leftovers(draft: Draft) -> None:
    """Find imports in files that no flow has anything to do with, and idle ones in others.

    Whoever imports them from there goes along.
    """
    concerned = {path for flow in draft.flows.values() for path in flow.files}
    program = draft.facts.program
    for path, module in list(program.modules.items()):
        every = list(_imports(module))
        found = [a for a in every if path not in concerned or _is_idle(module, a)]
        if every and path in concerned:
            _tie_takers(draft, module, {alias.bound for alias in every})
        if not found:
            continue
        flow = draft.file_flow(module)
        for alias in found:
            draft.find(flow, "FXO101", alias.id, "`flax.optim` was removed")
            if _is_exported(module, alias.bound):
                draft.stop(flow, "FXO101", alias.id, f"`{alias.bound}` is in `__all__`")
        flow.beside.update(dict.fromkeys(program.importers(path)))


def _tie_takers(draft: Draft, module: t.Module, names: set[str]) -> None:
    """Files that take names of flax.optim from this one, which will not have them any more."""
    program = draft.facts.program
    for other in program.importers(module.path):
        for statement in program.modules[other].imports:
            if module.path not in program.targets(other, statement):
                continue
            taken = [alias for alias in statement.aliases if alias.name in names]
            if statement.is_from and (taken or not statement.aliases):
                _tie(draft, module, program.modules[other], taken)
            elif not statement.is_from and any(
                isinstance(node, t.Attribute) and node.attr in names and _is_module(draft, node)
                for node, _ in everything(program.modules[other])
            ):
                _tie(draft, module, program.modules[other], [])


def _tie(draft: Draft, module: t.Module, other: t.Module, taken: list[t.Alias]) -> None:
    flow = draft.file_flow(module)
    flow.files[other.path] = None
    for alias in taken:
        if _is_idle(other, alias):
            message = f"`{alias.name}` is taken from {module.path.rsplit('/', 1)[-1]}, which will not have it"
            draft.stop(flow, "FXO101", alias.id, message)


def _is_module(draft: Draft, node: t.Attribute) -> bool:
    return any(isinstance(a, ModuleRef) for a in draft.facts.value(node.value.id))


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
