"""Optimizers that are only made to restore into: they take the state's structure from the ones that train.

A checkpoint of flax.optim fits every optimizer of its class.
A state of Optax has another structure where the rate is applied by the step, and where a clip stands in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.plan.layouts import Layouts
from flax2optax.codemod.plan.rates import FlowFacts


def match_templates(
    facts: OptimizerFacts,
    known: Mapping[NodeId, FlowFacts],
    trained: set[NodeId],
    found: Iterable[Layouts],
) -> dict[NodeId, FlowFacts]:
    """What is known of each flow, where the flows that nobody steps are written like those of their classes that train."""
    restored = {root for one in found for roots in one.restored.values() for root in roots}
    result = dict(known)
    for template in sorted(restored & known.keys() - trained):
        partners = [
            root
            for root in sorted(trained & known.keys())
            if _classes(facts, known[root]) == _classes(facts, known[template])
        ]
        for partner in partners:
            result[partner] = replace(result[partner], clips=())
        ways = {(known[one].rate, known[one].overridden, known[one].groups) for one in partners}
        if len(ways) == 1:
            ((rate, overridden, groups),) = ways
            result[template] = replace(
                known[template], rate=rate, overridden=overridden, groups=groups
            )
    return result


def with_another_state(
    facts: OptimizerFacts, known: Mapping[NodeId, FlowFacts], root: NodeId
) -> NodeId | None:
    """A flow of the same classes whose state has another structure, so that neither restores the other's files."""
    own = _structure(known[root])
    for other, its in sorted(known.items()):
        if its.made and _classes(facts, its) == _classes(facts, known[root]):
            if _structure(its) != own:
                return other
    return None


def _structure(known: FlowFacts) -> tuple[object, ...]:
    return known.rate, known.overridden, known.groups, len(known.clips)


def _classes(facts: OptimizerFacts, known: FlowFacts) -> frozenset[object]:
    return frozenset(atom for use in known.made for atom in facts.classes(use.node.id))
