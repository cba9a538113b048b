"""`optimizer.optimizer_def.hyper_params`: read for what a constructor was given, or to make what a step overrides."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import Node, everything, walk
from flax2optax.codemod.infer.values import Part
from flax2optax.codemod.plan.bindings import bound_once
from flax2optax.codemod.plan.draft import Draft, simple
from flax2optax.codemod.plan.edits import Replace, ReplaceStatement
from flax2optax.codemod.plan.explicit_names import functions_above, scope_of
from flax2optax.codemod.plan.given import given
from flax2optax.codemod.plan.occurrences import Occurrence, parent
from flax2optax.codemod.plan.overrides import Step, take_apart
from flax2optax.codemod.plan.rates import FlowFacts

_READ = "the hyperparameters of the definition are read"


def plan_hyper_params(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    """One `….hyper_params`: where its value goes decides what it becomes."""
    assert use.flow is not None
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO308", use.node.id, f"`{use.name}` was removed with flax.optim")
    if _consumed(draft, use.node, use.above, known, module, use):
        return
    statement = parent(use.above)
    names = _targets(statement)
    if (
        not isinstance(statement, t.Assign)
        or not names
        or statement.line in module.inline
        or not functions_above(use.above)
        or not all(_all_consumed(draft, module, use, known, name) for name in names)
    ):
        draft.stop(flow, "FXO308", use.node.id, _READ)
        return
    draft.edit(flow, ReplaceStatement(statement.id, statement.line, ()))


def is_unpacked(
    name: t.Name, index: int, count: int, above: tuple[Node, ...], module: t.Module
) -> bool:
    """Whether a name is always the item at `index` of `count` that a statement unpacks."""
    scope = scope_of(name.name, above, module)
    targets = (_targets(node) for node, _ in walk(scope.body) if isinstance(node, t.Assign))
    places = [
        (position, len(names))
        for names in targets
        for position, target in enumerate(names)
        if target.name == name.name
    ]
    return places == [(index, count)] and bound_once(name.name, scope)


def own_sources(draft: Draft, use: Occurrence, step: Step, known: FlowFacts) -> bool:
    """Whether the hyperparameters that a step changes are those of the optimizer that it steps."""
    module = draft.facts.program.owner(use.node.id)
    if any(
        not _is_plain(rate) for rate in (*step.overrides.groups, *step.overrides.named.values())
    ):
        if any(isinstance(n, t.Comprehension) for a in step.call.args for n, _ in walk((a.value,))):
            return False
    for source in step.overrides.sources:
        found = _origin(source, use.above, module)
        if found is None or not simple(found):
            return False
        if len(known.made) > 1 and not is_same(found, step.optimizer):
            return False
    return True


_EFFECTS = frozenset({
    "next", "pop", "popleft", "popitem", "send", "random", "uniform", "normal", "randint", "choice",
})  # fmt: skip


def _is_plain(rate: t.Expression) -> bool:
    """Whether a rate may be evaluated once instead of once for each group."""
    for node, _ in walk((rate,)):
        func = node.func if isinstance(node, t.Call) else None
        name = func.attr if isinstance(func, t.Attribute) else getattr(func, "name", "")
        if isinstance(node, t.Named | t.Yield) or name in _EFFECTS:
            return False
    return True


def _origin(source: t.Expression, above: tuple[Node, ...], module: t.Module) -> t.Expression | None:
    """The optimizer in `optimizer.optimizer_def.hyper_params`, which may have been given a name."""
    if isinstance(source, t.Name):
        scope = scope_of(source.name, above, module)
        found = [
            node.value
            for node, _ in walk(scope.body)
            if isinstance(node, t.Assign) and source.name in {one.name for one in _targets(node)}
        ]
        return (
            _origin(found[0], (), module)
            if len(found) == 1 and not isinstance(found[0], t.Name)
            else None
        )
    if not isinstance(source, t.Attribute) or source.attr != "hyper_params":
        return None
    inner = source.value
    return (
        inner.value if isinstance(inner, t.Attribute) and inner.attr == "optimizer_def" else inner
    )


def is_same(one: t.Expression, other: t.Expression) -> bool:
    """Whether two names, or attributes of names, are spelled alike."""
    if isinstance(one, t.Attribute) and isinstance(other, t.Attribute):
        return one.attr == other.attr and is_same(one.value, other.value)
    return isinstance(one, t.Name) and isinstance(other, t.Name) and one.name == other.name


def _targets(statement: Node | None) -> tuple[t.Name, ...]:
    """The names of `a = …` or `a, b = …`; none where a target is something else."""
    if not isinstance(statement, t.Assign) or len(statement.targets) != 1:
        return ()
    (target,) = statement.targets
    every = target.elements if isinstance(target, t.Sequence) else (target,)
    names = tuple(one for one in every if isinstance(one, t.Name))
    return names if len(names) == len(every) else ()


def _all_consumed(
    draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts, target: t.Name
) -> bool:
    """`hyper_params = ….hyper_params`: whether every read of the name is understood, so that the statement may go."""
    scope = scope_of(target.name, use.above, module)
    return bound_once(target.name, scope) and all(
        _consumed(draft, node, above, known, module, use)
        for node, above in _reads(target.name, module)
        if node is not target and scope_of(target.name, above, module) is scope
    )


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
