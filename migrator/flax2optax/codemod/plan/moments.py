"""`state.param_states`: the moments by parameter, which a few lines in the program take from Optax's state and put back."""

from __future__ import annotations

from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node
from flax2optax.codemod.plan.draft import Draft, pieces, simple
from flax2optax.codemod.plan.edits import FlowPlan, Pieces, Replace
from flax2optax.codemod.plan.hyper_params import is_same
from flax2optax.codemod.plan.occurrences import Occurrence, is_state_of_optimizer, new_moments
from flax2optax.codemod.plan.rates import FlowFacts
from flax2optax_rules import READING, VIEWED, WRITING


def plan_moments(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """Write one read of `param_states`."""
    assert isinstance(use.node, t.Attribute) and use.flow is not None
    flow, known, state = draft.flow(use.flow), of(use.flow), use.node.value
    if not _is_viewed(draft, flow, known, use.node):
        return
    optimizer = _optimizer(draft, state)
    if optimizer is None and _has_none(draft, known):
        message = "a state alone does not say which params have no moments"
        draft.stop(flow, "FXO306", use.node.id, message)
        return
    for support in READING:
        draft.support(flow, module, support)
    params = () if optimizer is None else pieces(", ", optimizer.id, ".params")
    written = pieces("param_states_of(", _opt_state(state, optimizer), params, ")")
    draft.edit(flow, Replace(use.node.id, written))


def plan_new_moments(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """Write one `state.replace(param_states=…)`: a pair, or what `optimizer.replace` takes of it."""
    assert isinstance(use.node, t.Call) and isinstance(use.node.func, t.Attribute)
    assert use.flow is not None
    flow, state = draft.flow(use.flow), use.node.func.value
    if not _is_viewed(draft, flow, of(use.flow), use.node):
        return
    if is_put_right_back(draft, use.node, use.above):
        return
    optimizer = _optimizer(draft, state)
    step = pieces(state.id, "[0]") if optimizer is None else pieces(optimizer.id, ".step")
    written = pieces("(", step, ", ", new_opt_state(draft, flow, module, use.node), ")")
    draft.edit(flow, Replace(use.node.id, written))


def is_put_right_back(draft: Draft, node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether a `state.replace(param_states=…)` is given right to the optimizer it is of, whose step stays."""
    if new_moments(node) is None:
        return False
    assert isinstance(node, t.Call) and isinstance(node.func, t.Attribute)
    optimizer, other = _optimizer(draft, node.func.value), takes_state(above)
    return optimizer is not None and other is not None and is_same(optimizer, other)


def takes_state(above: tuple[Node, ...]) -> t.Expression | None:
    """The `other` of `other.replace(state=…)`, where a node is that state."""
    match above[-2:]:
        case (t.Call(func=t.Attribute(value=other, attr="replace")), t.Argument(keyword="state")):
            return other
    return None


def new_opt_state(draft: Draft, flow: FlowPlan, module: t.Module, node: t.Call) -> Pieces:
    """Optax's state with the moments of a `state.replace(param_states=…)`."""
    assert isinstance(node.func, t.Attribute)
    state, records = node.func.value, new_moments(node)
    assert records is not None
    for support in WRITING:
        draft.support(flow, module, support)
    of = _opt_state(state, _optimizer(draft, state))
    return pieces("with_param_states(", of, ", ", records.id, ")")


def reads_moments(use: Occurrence) -> bool:
    """Whether an occurrence needs the moments to have flax's sign: it reads, changes or keeps them."""
    return use.kind in ("state", "moments", "new_moments")


def _opt_state(state: t.Expression, optimizer: t.Expression | None) -> Pieces:
    return pieces(state.id, "[1]") if optimizer is None else pieces(optimizer.id, ".opt_state")


def _optimizer(draft: Draft, state: t.Expression) -> t.Expression | None:
    """The optimizer whose `state` it is; None for a pair that was kept."""
    direct = isinstance(state, t.Attribute) and is_state_of_optimizer(draft.facts, state)
    return state.value if direct and isinstance(state, t.Attribute) else None


def _is_viewed(draft: Draft, flow: FlowPlan, known: FlowFacts, node: t.Attribute | t.Call) -> bool:
    """Whether the moments can be had; stops the flow where not."""
    draft.find(flow, "FXO306", node.id, "Optax keeps one tree for each moment")
    place = node.func if isinstance(node, t.Call) else node
    assert isinstance(place, t.Attribute)
    state = place.value
    other = next((name for use in known.made for name in _not_viewed(draft, use)), None)
    if other is not None or not known.made:
        message = f"the moments of {other or 'an optimizer made elsewhere'} are not kept by parameter in Optax"
    elif not simple(_optimizer(draft, state) or state):
        message = "the optimizer is an expression, which would be evaluated twice"
    else:
        return True
    draft.stop(flow, "FXO306", node.id, message)
    return False


def _not_viewed(draft: Draft, use: Occurrence) -> list[str]:
    """The classes of one constructor call whose moments are kept otherwise."""
    found = draft.facts.classes(use.node.id)
    return sorted(a.name for a in found if a.lookup or not (a.class_ or a.name in VIEWED))


def _has_none(draft: Draft, known: FlowFacts) -> bool:
    """Whether an optimizer of the flow may keep nothing for some params."""
    names = {a.name for use in known.made for a in draft.facts.classes(use.node.id)}
    return not names.isdisjoint({"GradientDescent", "MultiOptimizer"})
