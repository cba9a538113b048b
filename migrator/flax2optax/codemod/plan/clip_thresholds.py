"""Is a clip's threshold the same number where the transformation is made as it is in the step?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import everything
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.values import (
    Bound,
    Container,
    FunctionRef,
    Instance,
    Optimizer,
    Value,
    leaves,
)
from flax2optax.codemod.plan.clip_edits import Level
from flax2optax.codemod.plan.clip_kinds import Threshold
from flax2optax.codemod.plan.clip_places import Scope, binds
from flax2optax.codemod.plan.occurrences import Occurrence


def visible(
    facts: OptimizerFacts,
    threshold: Threshold,
    makes: Sequence[Occurrence],
    level: Level,
    root: NodeId,
) -> bool:
    """Whether every place that makes the optimizer can write the threshold and mean the same number."""
    symbol = threshold.symbol
    if symbol is None:
        return True
    if symbol.scope is None or not symbol.name:
        return False
    if not _bound_once(facts, symbol.scope, symbol.name, min(use.node.id for use in makes)):
        return False
    if isinstance(symbol.scope, t.Module):
        return all(_sees_global(facts, symbol.scope, symbol.name, use) for use in makes)
    return all(_functions(use)[-1:] == [symbol.scope] for use in makes) and _private(
        facts, symbol.scope, level, root
    )


def _functions(use: Occurrence) -> list[t.Function]:
    return [node for node in use.above if isinstance(node, t.Function)]


def _sees_global(facts: OptimizerFacts, module: t.Module, name: str, use: Occurrence) -> bool:
    """Whether a module's name means that module's at a use, not a local or a class's of the same spelling."""
    if facts.program.owner(use.node.id) is not module:
        return False
    if any(name in function.locals for function in _functions(use)):
        return False
    return not any(
        binds(statement, name)
        for node in use.above
        if isinstance(node, t.Class)
        for statement in node.body
    )


def _bound_once(facts: OptimizerFacts, scope: Scope, name: str, before: NodeId) -> bool:
    """Whether a name is bound once, on a line of the scope itself above `before`, and never from elsewhere."""
    if any(name in function.outer for function in _module(scope).functions):
        return False
    if isinstance(scope, t.Function) and any(p.name == name for p in scope.parameters):
        return not any(binds(statement, name) for statement in scope.body)
    found = [statement for statement in scope.body if binds(statement, name)]
    if len(found) != 1 or not isinstance(found[0], t.Assign | t.AnnAssign | t.Import):
        return False
    if isinstance(found[0], t.Import) and not found[0].aliases:
        return False
    if isinstance(scope, t.Module) and name in _assigned_attributes(facts):
        return False
    return found[0].id < before


def _module(scope: Scope) -> t.Module:
    return scope if isinstance(scope, t.Module) else scope.module


def _assigned_attributes(facts: OptimizerFacts) -> set[str]:
    """The names that some module of the program sets on some object, which may be a module."""
    return {
        target.attr
        for module in facts.program.modules.values()
        for target in _targets(module)
        if isinstance(target, t.Attribute)
    }


def _targets(module: t.Module) -> Iterator[t.Expression]:
    for node, _ in everything(module):
        if isinstance(node, t.Assign):
            yield from node.targets
        elif isinstance(node, t.AugAssign | t.AnnAssign):
            yield node.target


def _private(facts: OptimizerFacts, scope: t.Function, level: Level, root: NodeId) -> bool:
    """Whether the step and the optimizer of one call of `scope` never meet those of another call."""
    inner = level.place.scope
    while isinstance(inner, t.Function) and inner is not scope:
        inner = inner.parent or inner.module
    if inner is not scope or scope.owner is not None or scope.generator:
        return False
    frames = [frame for frame in facts.machine.frames if frame.function is scope]
    given = [
        atom for frame in frames for value in frame.parameters.values() for atom in leaves(value)
    ]
    optimizers = [a for a in given if isinstance(a, Optimizer) and facts.flows.find(a.site) == root]
    return not optimizers and not any(_has_function(frame.returned) for frame in frames)


def _has_function(value: Value) -> bool:
    return any(isinstance(a, FunctionRef | Bound | Instance | Container) for a in leaves(value))
