"""Optimizers that nobody steps: what was lost on the way must not be taken for unused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.values import Bound, FunctionRef, Optimizer, unwrapped
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.layouts import Layouts
from flax2optax.codemod.plan.occurrences import FIELDS_OF_OPTIMIZERS, may_be_optimizer, parent
from flax2optax.codemod.plan.passages import Passage, find_passages
from flax2optax.codemod.plan.rates import FlowFacts

_STEPS = ("apply_gradients(", "apply_updates(")
_WHY = "nobody is seen to step this optimizer, or to restore into it"


def doubt_unstepped(
    draft: Draft,
    known: Mapping[NodeId, FlowFacts],
    trained: set[NodeId],
    layouts: Iterable[Layouts],
) -> None:
    """An optimizer that nobody steps may be one that others step, or read, where it was not followed.

    That matters where the program steps another one, or reads a field of something unknown.
    One that steps with Optax counts, so that a second run waits for the same ones.
    """
    restored = {root for one in layouts for roots in one.restored.values() for root in roots}
    idle = [
        (root, flow)
        for root, flow in draft.flows.items()
        if root in known and known[root].made and root not in trained | restored
    ]
    contains = draft.facts.program.contains
    if not idle or not (trained or any(map(contains, _STEPS)) or _reads_of_unknown(draft)):
        return
    passages = find_passages(draft.facts)
    for root, flow in idle:
        places = passages.optimizers.get(root, []) + passages.definitions.get(root, [])
        if not _stays(draft.facts, places):
            flow.assumptions[_WHY] = None


def _reads_of_unknown(draft: Draft) -> bool:
    """Whether a field that optimizers have is read from something nobody knows."""
    facts = draft.facts
    return any(
        isinstance(node, t.Attribute)
        and node.attr in FIELDS_OF_OPTIMIZERS
        and may_be_optimizer(facts, facts.value(node.value.id))
        and not any(isinstance(a, Optimizer) for a in facts.value(node.value.id))
        for module in facts.program.modules.values()
        for node, _ in everything(module)
    )


def _stays(facts: OptimizerFacts, places: list[Passage]) -> bool:
    """Whether it lives in variables whose fields are read, here or in functions that are seen, and goes nowhere else."""
    return bool(places) and all(
        isinstance(over := parent(above), t.Attribute)
        or (isinstance(over, t.Assign) and all(isinstance(x, t.Name) for x in over.targets))
        or _is_passed(facts, node, above)
        for node, above in places
    )


def _is_passed(facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether it becomes a parameter of functions of the program, and of nothing else."""
    call = above[-2] if len(above) > 1 and isinstance(above[-1], t.Argument) else None
    if not isinstance(call, t.Call) or not facts.machine.bindings.get(node.id):
        return False
    callee = facts.value(call.func.id)
    return bool(callee) and all(isinstance(unwrapped(a), FunctionRef | Bound) for a in callee)
