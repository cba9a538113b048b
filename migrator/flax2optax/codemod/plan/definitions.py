"""Constructor calls: `flax.optim.Adam(…)` becomes the Optax expression of its rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.plan.classes import names_the_class, plan_indirect
from flax2optax.codemod.plan.computed import by_any_arguments
from flax2optax.codemod.plan.constructors import (
    UNSCALED,
    Built,
    CannotBuild,
    Rate,
    build,
    last_rate,
)
from flax2optax.codemod.plan.custom import plan_custom, plan_own_state
from flax2optax.codemod.plan.draft import Draft, pieces
from flax2optax.codemod.plan.edits import FlowPlan, Pieces, Replace
from flax2optax.codemod.plan.given import settled
from flax2optax.codemod.plan.group_rates import rated_groups
from flax2optax.codemod.plan.keywords import resolve
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.rates import FlowFacts, held
from flax2optax_rules import RULES


def plan_construct(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """Write one definition, or say why it cannot be written."""
    assert isinstance(use.node, t.Call)
    if use.flow is None:
        plan_own_state(draft, module, use.node.func)
        return
    flow = draft.flow(use.flow)
    found = draft.facts.classes(use.node.id)
    names = sorted(atom.name for atom in found)
    draft.find(flow, "FXO201", use.node.id, f"`{' or '.join(names)}` was removed with flax.optim")
    for atom in found:
        if atom.name in ("Optimizer", "OptimizerState"):
            draft.stop(
                flow, "FXO205", use.node.id, f"`flax.optim.{atom.name}` is constructed directly"
            )
        elif atom.lookup:  # what it is looked up in takes its arguments
            if of(use.flow).in_rows:
                whole = _counted(draft, module, flow, pieces(use.node.id))
                draft.edit(flow, Replace(use.node.id, whole))
        elif atom.class_:
            plan_custom(draft, module, use, atom.class_, of(use.flow))
        elif atom.name not in RULES:
            draft.stop(flow, "FXO201", use.node.id, f"no rule for `flax.optim.{atom.name}`")
        elif not names_the_class(draft, use.node):
            _stop_other_sign(draft, use, atom.name, of(use.flow))
            plan_indirect(draft, use, of(use.flow))
        elif len(found) > 1:
            draft.stop(
                flow, "FXO202", use.node.id, "which optimizer is made is decided at run time"
            )
        else:
            _build(draft, module, use, atom.name, of(use.flow))


def _build(draft: Draft, module: t.Module, use: Occurrence, name: str, known: FlowFacts) -> None:
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    if known.rate is Rate.STATE and name in ("MultiOptimizer", "WeightNorm"):
        draft.stop(
            flow, "FXO502", use.node.id, f"{name} with hyperparameters that are not applied last"
        )
        return
    optax = draft.library(flow, module, "optax")
    rate = known.rate
    if rate is Rate.UPDATE:
        if name == "WeightNorm" or known.overridden != ("learning_rate",):
            message = (
                f"{name} beside an optimizer of this program whose steps override hyperparameters"
            )
            draft.stop(flow, "FXO502", use.node.id, message)
            return
        rate = Rate.STEP if last_rate(name, use.node) else Rate.UPDATE
    if rate is Rate.STATE and not _lasts(module, use, known.overridden):
        message = (
            f"an argument of {name} may be another by the time of a step, which evaluates it again"
        )
        draft.stop(flow, "FXO502", use.node.id, message)
        return
    try:
        spread = resolve(draft, use.node, name, rated=rate not in UNSCALED)
    except CannotBuild:
        _by_arguments(draft, module, use, name, known)
        return
    squares = known.complex and name == "Adam" and rate in (Rate.CONSTRUCTOR, *UNSCALED)
    if squares:
        draft.squared.add(use.node.id)
    try:
        built = build(
            name, use.node, rate, optax, known.overridden, spread,
            squares=squares, positive=known.moments,
        )  # fmt: skip
    except CannotBuild as error:
        if any(a.star and a.value.id not in spread for a in use.node.args):
            _by_arguments(draft, module, use, name, known)
        else:
            draft.stop(flow, error.code, use.node.id, str(error))
        return
    written = built.pieces
    if known.rate is Rate.UPDATE and name != "MultiOptimizer" and rate is Rate.STEP:
        draft.support(flow, module, "scale_by_given_rate")
        written = pieces(f"{optax}.chain(\v", *written, ",\v scale_by_given_rate())")
    if known.groups and name == "MultiOptimizer":
        groups = rated_groups(draft, module, use, known, ("multi_optimizer",))
        if groups is None:
            return
        written = groups
    elif known.rate is Rate.GROUPS and use.node.id not in held(draft.facts, "inner"):
        draft.support(flow, module, "scale_by_group_rate")
        written = pieces(f"{optax}.chain(\v", *written, ",\v scale_by_group_rate(0))")
    elif known.rate is Rate.GROUPS and use.node.id in held(draft.facts, "definition"):
        message = f"this {name} is a group of a MultiOptimizer, and an optimizer of its own"
        draft.stop(flow, "FXO502", use.node.id, message)
    if _fits_flax(known, name, rate):
        written = _counted(draft, module, flow, written)
    need(draft, module, use, built)
    draft.edit(flow, Replace(use.node.id, written))


def _lasts(module: t.Module, use: Occurrence, traced: Sequence[str]) -> bool:
    """Whether every argument but the traced ones is the same whenever it is evaluated, as far as can be seen."""
    assert isinstance(use.node, t.Call)
    return all(
        argument.keyword in traced or settled(argument.value, module, use.above)
        for argument in use.node.args
    )


def _fits_flax(known: FlowFacts, name: str, rate: Rate) -> bool:
    """Whether arrays that were stored in flax's order would be taken for others, since their number is the same."""
    return known.in_rows and name in _UNCOUNTED and rate is not Rate.STATE


def _counted(draft: Draft, module: t.Module, flow: FlowPlan, written: Pieces) -> Pieces:
    """The same transformation with one more array in its state."""
    draft.support(flow, module, "counted")
    optax = draft.library(flow, module, "optax")
    return pieces(f"{optax}.chain(\v", *written, ",\v counted())")


# Optax's states of these have as many arrays as flax's, in another order.
_UNCOUNTED = frozenset({"Momentum", "RMSProp", "Adagrad", "Adadelta", "LARS", "WeightNorm"})


def _stop_other_sign(draft: Draft, use: Occurrence, name: str, known: FlowFacts) -> None:
    """Only a call that is written out can be written with the sign of flax's momentum."""
    if known.moments and name == "LARS" and use.flow is not None:
        message = "the state of LARS is used as a value, and Optax's momentum has the other sign"
        draft.stop(draft.flow(use.flow), "FXO306", use.node.id, message)


def _by_arguments(
    draft: Draft, module: t.Module, use: Occurrence, name: str, known: FlowFacts
) -> None:
    """A call whose arguments are computed keeps them, and gets a function that takes the same ones."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    _stop_other_sign(draft, use, name, known)
    try:
        function = by_any_arguments(draft, flow, module, name, known.rate, "FXO202")
    except CannotBuild as error:
        draft.stop(flow, error.code, use.node.id, str(error))
        return
    draft.edit(flow, Replace(use.node.func.id, (function,)))
    if _fits_flax(known, name, known.rate):
        whole = _counted(draft, module, flow, pieces(use.node.id))
        draft.edit(flow, Replace(use.node.id, whole))


def need(draft: Draft, module: t.Module, use: Occurrence, built: Built) -> None:
    """What an Optax expression needs beside it."""
    assert use.flow is not None
    flow = draft.flow(use.flow)
    for support in built.needs:
        draft.support(flow, module, support)
    for dotted in built.imports:
        if dotted != "optax":
            draft.library(flow, module, dotted)
    if built.note:
        draft.note(flow, "FXO201", use.node.id, built.note)
