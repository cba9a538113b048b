"""`optimizer.optimizer_def.hyper_params`: read for what a constructor was given, or to make what a step overrides."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer.values import Part
from flax2optax.codemod.plan.bindings import bound_once
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import Replace, ReplaceStatement
from flax2optax.codemod.plan.explicit_names import functions_above, scope_of
from flax2optax.codemod.plan.given import given
from flax2optax.codemod.plan.occurrences import Occurrence, parent
from flax2optax.codemod.plan.overrides import take_apart
from flax2optax.codemod.plan.rates import FlowFacts

_READ = "the hyperparameters of the definition are read"


def plan_hyper_params(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    """One `….hyper_params`: where its value goes decides what it becomes."""
    assert use.flow is not None
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO308", use.node.id, f"`{use.name}` was removed with flax.optim")
    over = parent(use.above)
    if _consumed(draft, use.node, use.above, known, module, use):
        return
    named = (
        isinstance(over, t.Assign)
        and len(over.targets) == 1
        and isinstance(over.targets[0], t.Name)
    )
    if not named or not _all_consumed(draft, module, use, known):
        draft.stop(flow, "FXO308", use.node.id, _READ)


def _all_consumed(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> bool:
    """`hyper_params = ….hyper_params`: every read of the name is understood, so the statement goes."""
    assert use.flow is not None
    statement = parent(use.above)
    assert isinstance(statement, t.Assign) and isinstance(statement.targets[0], t.Name)
    name = statement.targets[0].name
    scope = scope_of(name, use.above, module)
    if (
        not bound_once(name, scope)
        or statement.line in module.inline
        or not functions_above(use.above)
    ):
        return False
    for node, above in _reads(name, module):
        if scope_of(name, above, module) is scope and node is not statement.targets[0]:
            if not _consumed(draft, node, above, known, module, use):
                return False
    draft.edit(draft.flow(use.flow), ReplaceStatement(statement.id, statement.line, ()))
    return True


def _reads(name: str, module: t.Module) -> Iterator[tuple[t.Name, tuple[Node, ...]]]:
    for node, around in everything(module):
        if isinstance(node, t.Name) and node.name == name:
            yield node, around


def _consumed(
    draft: Draft,
    node: t.Expression,
    above: tuple[Node, ...],
    known: FlowFacts,
    module: t.Module,
    use: Occurrence,
) -> bool:
    """Whether an expression that is the hyperparameters is part of a step, or read for one value."""
    assert use.flow is not None
    for index, outer in enumerate(above):
        if isinstance(outer, t.Argument) and outer.keyword == "hyper_params" and index:
            step = above[index - 1]
            if isinstance(step, t.Call) and _is_step(step):
                return any(source is node for source in take_apart(step).overrides.sources)
    over = parent(above)
    if (
        not isinstance(over, t.Attribute)
        or over.value is not node
        or not _is_own(draft, node, known)
    ):
        return False
    written = given(draft.facts, known.made, over.attr, module, above)
    call = parent(above[:-1])
    if written is None or (isinstance(call, t.Call) and call.func is over):
        return False
    draft.edit(draft.flow(use.flow), Replace(over.id, written))
    return True


def _is_step(call: t.Call) -> bool:
    return isinstance(call.func, t.Attribute) and call.func.attr in ("apply_gradient", "optimize")


def _is_own(draft: Draft, node: t.Expression, known: FlowFacts) -> bool:
    """Whether the value can only be the hyperparameters of this flow's constructors."""
    value = draft.facts.value(node.id)
    return (
        bool(value)
        and all(isinstance(a, Part) and a.kind == "hyper_params" for a in value)
        and bool(known.made)
    )
