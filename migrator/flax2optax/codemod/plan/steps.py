"""`optimizer.apply_gradient(…)` in the state form, wherever its learning rate comes from."""

from __future__ import annotations

from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.draft import Draft, pieces, simple, statement_of
from flax2optax.codemod.plan.edits import Hole, InsertBefore, Pieces, Replace
from flax2optax.codemod.plan.occurrences import Occurrence


@dataclass(frozen=True, slots=True)
class Step:
    """A call of `apply_gradient`, taken apart. `problem` is (code, message) where it cannot be."""

    optimizer: t.Expression
    gradients: t.Argument | None
    rate: t.Expression | None
    others: tuple[str, ...] = ()
    problem: tuple[str, str] | None = None


def take_apart(node: t.Call) -> Step:
    """Read the arguments of `apply_gradient(grads, learning_rate=…)`."""
    assert isinstance(node.func, t.Attribute)
    gradients: t.Argument | None = None
    rate: t.Expression | None = None
    others: list[str] = []
    problem: tuple[str, str] | None = None
    for argument in node.args:
        if argument.star:
            problem = ("FXO502", f"the overrides are computed (`{argument.star}…`)")
        elif argument.keyword in (None, "grads"):
            gradients = argument
        elif argument.keyword == "learning_rate":
            rate = argument.value
        else:
            others.append(argument.keyword or "")
    return Step(node.func.value, gradients, rate, tuple(others), problem)


def plan_step(draft: Draft, module: t.Module, use: Occurrence, rate: Rate, *, bare: bool) -> None:
    """Write one step of the state form."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    step = take_apart(use.node)
    draft.find(flow, "FXO301", use.node.id, "`Optimizer.apply_gradient` was removed with flax.optim")
    if step.problem is not None:
        draft.stop(flow, step.problem[0], use.node.id, step.problem[1])
    elif step.gradients is None:
        draft.stop(flow, "FXO301", use.node.id, "the gradients of this step are not in the call")
    elif step.others:
        names = ", ".join(step.others)
        draft.stop(flow, "FXO503", use.node.id, f"the step overrides {names}")
    elif rate is Rate.STATE:
        _with_state_rate(draft, module, use, step)
    elif rate is Rate.STEP or bare:
        _spelled_out(draft, module, use, step, rate)
    else:
        assert isinstance(use.node.func, t.Attribute)
        draft.edit(flow, Replace(use.node.func.attr_id, ("apply_gradients",)))
        if step.gradients.keyword is None:
            value = step.gradients.value.id
            draft.edit(flow, Replace(step.gradients.id, pieces("grads=", value)))


def _spelled_out(draft: Draft, module: t.Module, use: Occurrence, step: Step, rate: Rate) -> None:
    """The update in three lines: what `TrainState.apply_gradients` does, with the rate of this step."""
    assert use.flow is not None and step.gradients is not None
    flow = draft.flow(use.flow)
    statement = statement_of(use.above, module)
    if statement is None or not simple(step.optimizer):
        draft.stop(
            flow,
            "FXO502",
            use.node.id,
            "this step needs lines of its own, and stands where none can be put before it",
            "give the call a statement of its own",
        )
        return
    optax = draft.library(flow, module, "optax")
    updates, state = draft.fresh(use.above, "updates"), draft.fresh(use.above, "opt_state")
    of = Hole(step.optimizer.id)
    lines: list[Pieces] = []
    scale = _rate(draft, use, step, lines) if rate is Rate.STEP else None
    gradients = step.gradients.value.id
    lines.append(
        pieces(f"{updates}, {state} = ", of, ".tx.update(", gradients, ", ", of, ".opt_state, ", of, ".params)")
    )
    if scale is not None:
        jax = draft.library(flow, module, "jax")
        lines.append(pieces(f"{updates} = {jax}.tree_util.tree_map(lambda u: -", scale, f" * u, {updates})"))
    draft.edit(flow, InsertBefore(statement.line, tuple(lines)))
    draft.edit(
        flow,
        Replace(
            use.node.id,
            pieces(
                of, ".replace(\n    step=", of, f".step + 1,\n    params={optax}.apply_updates(", of,
                f".params, {updates}),\n    opt_state={state})",
            ),
        ),
    )  # fmt: skip


def _rate(draft: Draft, use: Occurrence, step: Step, lines: list[Pieces]) -> Pieces:
    """The rate as it may stand in a lambda; evaluated once."""
    assert step.rate is not None
    if simple(step.rate) and not isinstance(step.rate, t.Subscript):
        return (Hole(step.rate.id),)
    name = draft.fresh(use.above, "learning_rate")
    lines.append(pieces(f"{name} = ", step.rate.id))
    return (name,)


def _with_state_rate(draft: Draft, module: t.Module, use: Occurrence, step: Step) -> None:
    """The rate is a hyperparameter in the state; every step writes it there first."""
    assert use.flow is not None and step.gradients is not None
    flow = draft.flow(use.flow)
    if step.rate is None or not simple(step.optimizer):
        draft.stop(flow, "FXO502", use.node.id, "only some steps of this optimizer give a learning rate")
        return
    of = Hole(step.optimizer.id)
    jnp = draft.library(flow, module, "jax.numpy")
    draft.edit(
        flow,
        Replace(
            use.node.id,
            pieces(
                of, ".replace(opt_state=", of, ".opt_state._replace(\n    hyperparams={'learning_rate': ",
                f"{jnp}.asarray(", step.rate.id, f", {jnp}.float32)}})).apply_gradients(grads=",
                step.gradients.value.id, ")",
            ),
        ),
    )  # fmt: skip
