"""Where each flow's learning rate, and whatever else its steps override, is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.flows import sites
from flax2optax.codemod.plan.constructors import Rate, last_rate
from flax2optax.codemod.plan.edits import Pieces
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.overrides import Step, take_apart


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """What the form must know of a whole flow before it writes a line of it."""

    rate: Rate
    bare: (
        bool  # params are an array, a tuple or a record, which TrainState's own methods cannot take
    )
    clips: tuple[Pieces, ...] = ()  # transformations in front of the optimizer's
    # Hyperparameters that live in the state, or that every step gives to `update`.
    overridden: tuple[str, ...] = ()
    groups: int = 0  # how many groups are given a rate of their own
    made: tuple[Occurrence, ...] = ()  # the constructor calls
    complex: bool = False  # params may be complex numbers
    in_rows: bool = False  # it may be built from leaves that were stored in flax's order
    moments: bool = False  # the state is read or kept as a value
    axis: str = ""  # the axis over which `replicate()` made the steps average their gradients


@dataclass(frozen=True, slots=True)
class FlowRate:
    """How a flow's steps get what they override."""

    rate: Rate
    overridden: tuple[str, ...] = ()
    groups: int = 0


def flow_rate(facts: OptimizerFacts, uses: Sequence[Occurrence]) -> FlowRate:
    """Decide by every step and every constructor of a flow."""
    steps = steps_of(uses)
    made = [use for use in uses if use.kind == "construct"]
    if not steps:
        return FlowRate(Rate.CONSTRUCTOR if all(map(_is_rated, made)) else Rate.STEP)
    given = [_given(step) for step in steps]
    names = frozenset[str]().union(*given)
    groups = max(len(step.overrides.groups) for step in steps)
    last = all(_last(facts, use) for use in made)
    several = groups or any(is_multi(facts, use) for use in made)
    if any(_is_custom(facts, use) for use in made) or (several and not last):
        everywhere = names if set(given) == {names} else ()
        rate = Rate.UPDATE if names else Rate.CONSTRUCTOR
        return FlowRate(rate, tuple(sorted(everywhere)), groups)
    if groups:
        return FlowRate(Rate.GROUPS, (), groups)
    if not names:
        return FlowRate(Rate.CONSTRUCTOR)
    if names != {"learning_rate"} or not last:
        return FlowRate(Rate.STATE, tuple(sorted(names)))
    return FlowRate(Rate.STEP if all(step.rate is not None for step in steps) else Rate.MIXED)


def _given(step: Step) -> frozenset[str]:
    """What a step overrides; one that gives each group a learning rate overrides that."""
    return frozenset(step.overrides.named or (["learning_rate"] if step.overrides.groups else ()))


def steps_of(uses: Sequence[Occurrence]) -> list[Step]:
    """Every step a flow makes."""
    return [
        take_apart(use.node)
        for use in uses
        if isinstance(use.node, t.Call) and (use.kind == "apply" or use.name == "optimize")
    ]


def _is_rated(use: Occurrence) -> bool:
    """Whether a constructor is given something that is its rate."""
    node = use.node
    return isinstance(node, t.Call) and any(
        a.keyword in (None, "learning_rate") and not a.star for a in node.args
    )


def _is_custom(facts: OptimizerFacts, use: Occurrence) -> bool:
    return any(atom.class_ for atom in facts.classes(use.node.id))


def held(facts: OptimizerFacts, by: str) -> set[NodeId]:
    """Definitions in a MultiOptimizer, which adds the rate of their group ("inner"), or in an optimizer ("definition")."""
    return {
        site
        for owner, value in facts.machine.owned_cells()
        if isinstance(owner, tuple) and owner[0] == by
        for site in sites(value)
    }


def is_multi(facts: OptimizerFacts, use: Occurrence) -> bool:
    """Whether a constructor is MultiOptimizer's, or that of a class that inherits from it."""
    return any(atom.name == "MultiOptimizer" for atom in facts.classes(use.node.id))


def _last(facts: OptimizerFacts, use: Occurrence) -> bool:
    """Whether the rate is the last thing an optimizer applies."""
    assert isinstance(use.node, t.Call)
    node = use.node
    return all(atom.class_ or last_rate(atom.name, node) for atom in facts.classes(node.id))
