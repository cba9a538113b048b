"""`optimizer.apply_gradient(…)` in the state form, wherever its learning rate comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.infer.values import Other, Part
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.draft import Draft, calls_in, is_first, pieces, simple, statement_of
from flax2optax.codemod.plan.edits import Hole, InsertBefore, Pieces, Replace
from flax2optax.codemod.plan.explicit_names import functions_above, scope_id
from flax2optax.codemod.plan.given import given
from flax2optax.codemod.plan.hyper_params import is_unpacked, own_sources
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.overrides import Step, take_apart
from flax2optax.codemod.plan.rates import FlowFacts
from flax2optax.codemod.plan.replicas import averaged


@dataclass(frozen=True, slots=True)
class Written:
    """A step of the state form: lines in front of its statement, and the expression of the new state."""

    lines: tuple[Pieces, ...]
    value: Pieces


def plan_step(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    """Write one step of the state form."""
    assert (
        isinstance(use.node, t.Call)
        and isinstance(use.node.func, t.Attribute)
        and use.flow is not None
    )
    flow = draft.flow(use.flow)
    step = take_apart(use.node)
    draft.find(
        flow, "FXO301", use.node.id, "`Optimizer.apply_gradient` was removed with flax.optim"
    )
    if step.gradients is None:
        draft.stop(flow, "FXO301", use.node.id, "the gradients of this step are not in the call")
        return
    gradients = averaged(draft, module, use, known.axis, (Hole(step.gradients.value.id),))
    statement = statement_of(use.above, module)
    spelled = known.rate is not Rate.STATE and (known.bare or known.rate is not Rate.CONSTRUCTOR)
    inside = statement is None or not is_first(statement, use.node)
    if spelled and (
        inside
        or not simple(step.optimizer)
        or (statement is not None and _steps_in(statement, use.node))
    ):
        written = _as_call(draft, module, use, step, known, gradients)
    else:
        written = write_step(draft, module, use, step, known, gradients)
    if written is None:
        return
    if known.rate is Rate.CONSTRUCTOR and not known.bare:
        draft.edit(flow, Replace(use.node.func.attr_id, ("apply_gradients",)))
        if step.gradients.keyword is None or known.axis:
            draft.edit(flow, Replace(step.gradients.id, pieces("grads=", gradients)))
        return
    if written.lines and inside:
        message = "this step needs lines of its own, and stands where none can be put before it"
        draft.stop(flow, "FXO502", use.node.id, message, "give the call a statement of its own")
        return
    if statement is not None and written.lines:
        draft.edit(flow, InsertBefore(statement.line, written.lines))
    draft.edit(flow, Replace(use.node.id, written.value))


def write_step(
    draft: Draft, module: t.Module, use: Occurrence, step: Step, known: FlowFacts, gradients: Pieces
) -> Written | None:
    """What a step becomes; None where it has been stopped."""
    if _is_stopped(draft, use, step, known):
        return None
    if not simple(step.optimizer) and (known.bare or known.rate is not Rate.CONSTRUCTOR):
        message = (
            "the optimizer of this step is an expression, which would be evaluated more than once"
        )
        assert use.flow is not None
        draft.stop(draft.flow(use.flow), "FXO502", use.node.id, message)
        return None
    if known.rate is Rate.STATE:
        return _with_state_rate(draft, module, use, step, known, gradients)
    if known.rate is Rate.CONSTRUCTOR and not known.bare:
        return Written((), pieces(step.optimizer.id, ".apply_gradients(grads=", gradients, ")"))
    return _spelled_out(draft, module, use, step, known, gradients)


def _is_stopped(draft: Draft, use: Occurrence, step: Step, known: FlowFacts) -> bool:
    assert use.flow is not None
    problem = step.problem or _problem(draft, use, step, known)
    if problem is not None:
        draft.stop(draft.flow(use.flow), problem[0], use.node.id, problem[1])
    return problem is not None


def _problem(draft: Draft, use: Occurrence, step: Step, known: FlowFacts) -> tuple[str, str] | None:
    assert use.flow is not None
    find = draft.facts.flows.find
    for source in step.overrides.sources:
        # Another alternative has no such attribute, or was lost where an escape is reported already.
        value = [a for a in draft.facts.value(source.id) if not isinstance(a, Other)]
        its = [
            isinstance(a, Part) and a.kind == "hyper_params" and find(a.site) == find(use.flow)
            for a in value
        ]
        if not its or not all(its):
            return "FXO502", "the hyperparameters of this step are not the optimizer's own"
    if step.overrides.sources and not own_sources(draft, use, step, known):
        return (
            "FXO502",
            "the hyperparameters of this step may be another optimizer's, or are computed",
        )
    if _is_reordered(use, step):
        return "FXO502", "this step evaluates what it overrides before its gradients"
    groups = len(step.overrides.groups)
    for index, name in enumerate(step.overrides.unpacked):
        if not is_unpacked(name, index, groups, use.above, draft.facts.program.owner(name.id)):
            return "FXO502", "the hyperparameters of this step are in another order, or computed"
    if groups != known.groups and step.overrides.named.keys() != {"learning_rate"}:
        if groups or known.rate is Rate.GROUPS:
            return "FXO502", "only some steps give every group a learning rate"
    return None


def _is_reordered(use: Occurrence, step: Step) -> bool:
    """Whether what is overridden stands in front of the gradients, and evaluating both may do something."""
    if step.gradients is None:
        return False
    first = step.gradients.value.id
    values = (*step.overrides.named.values(), *step.overrides.groups)
    early = tuple(value for value in values if value.id < first)
    return bool(early) and calls_in(early) and calls_in((step.gradients.value,))


def _spelled_out(
    draft: Draft, module: t.Module, use: Occurrence, step: Step, known: FlowFacts, gradients: Pieces
) -> Written | None:
    """The update in three lines: what `TrainState.apply_gradients` does, with the rate of this step."""
    assert use.flow is not None
    flow = draft.flow(use.flow)
    optax = draft.library(flow, module, "optax")
    updates, state = draft.fresh(use.above, "updates"), draft.fresh(use.above, "opt_state")
    around = functions_above(use.above)
    draft.claim(module, scope_id(around[0] if around else module), state, use.flow)
    of = Hole(step.optimizer.id)
    lines: list[Pieces] = []
    rated: list[Pieces] = []  # behind the gradients, as the call evaluated them
    scale: Pieces | None = None
    if known.rate in (Rate.STEP, Rate.MIXED):
        scale = _rate(draft, module, use, step, known, rated)
        if scale is None:
            return None
    more = tuple(_passed_on(step, known))
    call = pieces(
        f"{updates}, {state} = ", of, ".tx.update(\v", gradients, ",\v ", of, ".opt_state,\v ", of
    )
    lines.append(pieces(call, ".params", more, ")"))
    if scale is not None:
        jax = draft.library(flow, module, "jax")
        one = draft.fresh(use.above, "u")
        start = f"{updates} = {jax}.tree_util.tree_map(\vlambda {one}: -"
        lines += [*rated, pieces(start, scale, f" * {one},\v {updates})")]
    value = pieces(
        of, ".replace(\n    step=", of, f".step + 1,\n    params={optax}.apply_updates(", of,
        f".params, {updates}),\n    opt_state={state})",
    )  # fmt: skip
    return Written(tuple(lines), value)


def _steps_in(statement: t.Statement, step: t.Call) -> bool:
    """Whether a statement makes another step: lines of two of them in front of it would get into each other's way."""
    return any(
        node is not step
        and isinstance(node, t.Call)
        and isinstance(node.func, t.Attribute)
        and node.func.attr == "apply_gradient"
        for node, _ in walk((statement,))
    )


def _as_call(
    draft: Draft, module: t.Module, use: Occurrence, step: Step, known: FlowFacts, gradients: Pieces
) -> Written | None:
    """The same in one call: no lines can be put before it, or the optimizer is not to be evaluated again."""
    assert use.flow is not None
    if _is_stopped(draft, use, step, known):
        return None
    draft.support(draft.flow(use.flow), module, "apply_update")
    rate: Pieces = ()
    if known.rate in (Rate.STEP, Rate.MIXED):
        found = _rate(draft, module, use, step, known, [], inline=True)
        if found is None:
            return None
        rate = pieces(", learning_rate=", found)
    more = tuple(_passed_on(step, known))
    of = Hole(step.optimizer.id)
    return Written((), pieces("apply_update(", of, ", ", gradients, rate, more, ")"))


def _passed_on(step: Step, known: FlowFacts) -> Iterator[str | Hole]:
    """What the transformation's update is told."""
    if step.overrides.groups:
        yield ",\v learning_rates=["
        for index, rate in enumerate(step.overrides.groups):
            yield from pieces(", " if index else "", rate.id)
        yield "]"
    elif known.rate is Rate.GROUPS and step.rate is not None:  # one for all
        yield from pieces(",\v learning_rates=[", step.rate.id, f"] * {known.groups}")
    if known.rate is Rate.UPDATE:
        for name, value in step.overrides.named.items():
            yield from pieces(f",\v {name}=", value.id)


def _rate(
    draft: Draft,
    module: t.Module,
    use: Occurrence,
    step: Step,
    known: FlowFacts,
    lines: list[Pieces],
    *,
    inline: bool = False,
) -> Pieces | None:
    """The rate as it may stand in a lambda; evaluated once. None where the flow has been stopped."""
    assert use.flow is not None
    if step.rate is None:
        own = given(draft.facts, known.made, "learning_rate", module, use.above)
        if own is None:
            message = "some steps give a learning rate and this one does not; the constructor's cannot be seen here"
            draft.stop(draft.flow(use.flow), "FXO502", use.node.id, message)
        return own
    if inline or (simple(step.rate) and not isinstance(step.rate, t.Subscript)):
        return (Hole(step.rate.id),)
    name = draft.fresh(use.above, "learning_rate")
    lines.append(pieces(f"{name} = ", step.rate.id))
    return (name,)


def _with_state_rate(
    draft: Draft, module: t.Module, use: Occurrence, step: Step, known: FlowFacts, gradients: Pieces
) -> Written | None:
    """What is overridden is in the state; every step writes all of it there first."""
    assert use.flow is not None
    flow = draft.flow(use.flow)
    values: list[Pieces] = []
    order = {name: index for index, name in enumerate(step.overrides.named)}
    for name in sorted(known.overridden, key=lambda name: (order.get(name, len(order)), name)):
        value = step.overrides.named.get(name)
        own = (
            (Hole(value.id),) if value else given(draft.facts, known.made, name, module, use.above)
        )
        if own is None:
            message = f"some steps give `{name}` and this one does not; the constructor's cannot be seen here"
            draft.stop(flow, "FXO502", use.node.id, message)
            return None
        values.append(pieces(f"'{name}': ", own))
    lines: tuple[Pieces, ...] = ()
    if step.gradients is not None and calls_in((step.gradients.value,)):
        if calls_in(tuple(step.overrides.named.values())):  # gradients first, as the call had it
            grads = draft.fresh(use.above, "grads")
            lines, gradients = (pieces(f"{grads} = ", gradients),), (grads,)
    of = Hole(step.optimizer.id)
    given_ = pieces("{", *(pieces(", " if i else "", v) for i, v in enumerate(values)), "}")
    new = pieces(
        of, ".replace(opt_state=", of, ".opt_state._replace(\vhyperparams=", given_,
        ")).apply_gradients(grads=", gradients, ")",
    )  # fmt: skip
    return Written(lines, new)
