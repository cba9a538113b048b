"""The methods of flax.optim.Optimizer besides `apply_gradient` and `replace`."""

from __future__ import annotations

from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.plan.draft import Draft, pieces, simple
from flax2optax.codemod.plan.edits import Hole, InsertBefore, Pieces, Replace
from flax2optax.codemod.plan.names import names_in
from flax2optax.codemod.plan.occurrences import Occurrence, parent
from flax2optax.codemod.plan.overrides import take_apart
from flax2optax.codemod.plan.rates import FlowFacts
from flax2optax.codemod.plan.replicas import averaged, plan_replicate
from flax2optax.codemod.plan.steps import write_step

_UNPACK = "give its results names of their own, in one assignment"


def plan_method(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    """Write one call of a method."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    handler = _HANDLERS.get(use.name)
    if handler is not None:
        handler(draft, module, use, known)
    else:
        flow = draft.flow(use.flow)
        draft.stop(flow, "FXO307", use.node.id, f"`Optimizer.{use.name}` has no equal in Optax")


def _compute_gradient(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    """`loss, grads = optimizer.compute_gradient(loss_fn)`."""
    assert (
        isinstance(use.node, t.Call)
        and isinstance(use.node.func, t.Attribute)
        and use.flow is not None
    )
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO307", use.node.id, f"`Optimizer.{use.name}` was removed with flax.optim")
    names = _targets(use)
    if (
        names is None
        or len(names) not in (2, 3)
        or len(use.node.args) != 1
        or use.node.args[0].star
    ):
        draft.stop(
            flow,
            "FXO307",
            use.node.id,
            "whether the loss has auxiliary outputs cannot be seen",
            _UNPACK,
        )
        return
    statement = parent(use.above)
    assert isinstance(statement, t.Assign)
    written = _value_and_grad(
        draft, module, use, use.node.func.value, use.node.args[0].value, aux=len(names) == 3
    )
    draft.edit(flow, Replace(use.node.id, written))
    if len(names) == 3:
        loss, aux, grads = names
        draft.edit(
            flow,
            Replace(statement.targets[0].id, pieces("(", loss.id, ", ", aux.id, "), ", grads.id)),
        )


def _optimize(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    """`optimizer, loss = optimizer.optimize(loss_fn)`: the gradients first, then a step."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO307", use.node.id, "`Optimizer.optimize` was removed with flax.optim")
    names, step = _targets(use), take_apart(use.node)
    if (
        names is None
        or len(names) not in (2, 3)
        or step.gradients is None
        or not simple(step.optimizer)
    ):
        draft.stop(
            flow,
            "FXO307",
            use.node.id,
            "whether the loss has auxiliary outputs cannot be seen",
            _UNPACK,
        )
        return
    statement = parent(use.above)
    assert isinstance(statement, t.Assign)
    outputs = tuple(names[1:])
    if statement.line in module.inline or names_in(outputs) & names_in((use.node,)):
        draft.stop(flow, "FXO307", use.node.id, "the step needs lines of its own here", _UNPACK)
        return
    grads = draft.fresh(use.above, "grads")
    gradients = averaged(draft, module, use, known.axis, (grads,))
    written = write_step(draft, module, use, step, known, gradients)
    if written is None:
        return
    made = _value_and_grad(
        draft, module, use, step.optimizer, step.gradients.value, aux=len(outputs) == 2
    )
    loss = outputs[0].id
    front = pieces("(", loss, ", ", outputs[1].id, ")") if len(outputs) == 2 else pieces(loss)
    lines = (pieces(front, f", {grads} = ", made), *written.lines)
    draft.edit(flow, InsertBefore(statement.line, lines))
    draft.edit(flow, Replace(statement.targets[0].id, (Hole(names[0].id),)))
    draft.edit(flow, Replace(use.node.id, written.value))


def _value_and_grad(
    draft: Draft,
    module: t.Module,
    use: Occurrence,
    optimizer: t.Expression,
    loss: t.Expression,
    *,
    aux: bool,
) -> Pieces:
    assert use.flow is not None
    jax = draft.library(draft.flow(use.flow), module, "jax")
    more = ", has_aux=True" if aux else ""
    return pieces(f"{jax}.value_and_grad(", loss.id, f"{more})(", optimizer.id, ".params)")


def _targets(use: Occurrence) -> tuple[t.Expression, ...] | None:
    """The names a call's results are unpacked to."""
    over = parent(use.above)
    if (
        not isinstance(over, t.Assign)
        or len(over.targets) != 1
        or not isinstance(over.targets[0], t.Sequence)
    ):
        return None
    names = over.targets[0].elements
    return (
        None if any(isinstance(node, t.Starred) for n in names for node, _ in walk((n,))) else names
    )


def _state_dict(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    assert (
        isinstance(use.node, t.Call)
        and isinstance(use.node.func, t.Attribute)
        and use.flow is not None
    )
    flow = draft.flow(use.flow)
    name = draft.library(flow, module, "flax.serialization")
    draft.find(flow, "FXO701", use.node.id, "`Optimizer.state_dict` was removed with flax.optim")
    draft.edit(
        flow, Replace(use.node.id, pieces(f"{name}.to_state_dict(", use.node.func.value.id, ")"))
    )


def _restore_state(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    assert (
        isinstance(use.node, t.Call)
        and isinstance(use.node.func, t.Attribute)
        and use.flow is not None
    )
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO701", use.node.id, "`Optimizer.restore_state` was removed with flax.optim")
    if len(use.node.args) != 1:
        draft.stop(flow, "FXO701", use.node.id, "the state that is restored is not in the call")
        return
    name = draft.library(flow, module, "flax.serialization")
    optimizer, state = use.node.func.value.id, use.node.args[0].value.id
    draft.edit(
        flow, Replace(use.node.id, pieces(f"{name}.from_state_dict(", optimizer, ", ", state, ")"))
    )


def _replicate(draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts) -> None:
    plan_replicate(draft, module, use, known.axis)


_HANDLERS: dict[str, Callable[[Draft, t.Module, Occurrence, FlowFacts], None]] = {
    "compute_gradient": _compute_gradient,
    "compute_gradients": _compute_gradient,
    "optimize": _optimize,
    "replicate": _replicate,
    "unreplicate": _replicate,
    "state_dict": _state_dict,
    "restore_state": _restore_state,
}
