"""`optimizer.state` as a value of its own: a pair of the step and Optax's state, which is a pytree as flax's was."""

from __future__ import annotations

from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node
from flax2optax.codemod.infer.values import Optimizer, Part
from flax2optax.codemod.plan.draft import Draft, pieces, simple
from flax2optax.codemod.plan.edits import FlowPlan, Replace
from flax2optax.codemod.plan.moments import is_put_right_back, new_opt_state, takes_state
from flax2optax.codemod.plan.occurrences import is_state_of_optimizer, new_moments, site_of
from flax2optax.codemod.plan.rates import FlowFacts


def plan_state(draft: Draft, flow: FlowPlan, node: t.Attribute, above: tuple[Node, ...]) -> None:
    """Write one read of a whole state; where it is put right into another optimizer, that optimizer's `replace` is written."""
    if _is_put_back(draft, node, above) or _is_for_moments(above):
        return
    if not simple(node.value):
        message = "the optimizer is an expression, which would be evaluated twice"
        draft.stop(flow, "FXO306", node.id, message)
        return
    draft.find(flow, "FXO306", node.id, "`Optimizer.state` is `step` and `opt_state`")
    of = node.value.id
    draft.edit(flow, Replace(node.id, pieces("(", of, ".step, ", of, ".opt_state)")))


def plan_new_state(
    draft: Draft, flow: FlowPlan, module: t.Module, call: t.Call, argument: t.Argument
) -> bool:
    """Write `state=…` of a `replace`; False where the value may be something else than a state."""
    value = argument.value
    found = draft.facts.value(value.id)
    if not found or not all(isinstance(a, Part) and a.kind == "state" for a in found):
        return False
    if is_put_right_back(draft, value, (call, argument)):
        assert isinstance(value, t.Call)
        written = pieces("opt_state=", new_opt_state(draft, flow, module, value))
    elif (
        isinstance(value, t.Attribute)
        and is_state_of_optimizer(draft.facts, value)
        and simple(value.value)
    ):
        of = value.value.id
        written = pieces("step=", of, ".step, opt_state=", of, ".opt_state")
    elif simple(value):
        written = pieces("step=", value.id, "[0], opt_state=", value.id, "[1]")
    else:
        written = pieces("**dict(zip(('step', 'opt_state'), ", value.id, "))")
    draft.edit(flow, Replace(argument.id, written))
    return True


def is_of_another(
    draft: Draft, call: t.Call, argument: t.Argument, of: Callable[[NodeId], FlowFacts]
) -> bool:
    """Whether a state comes from an optimizer that may be built in another way than the one it is given to."""
    assert isinstance(call.func, t.Attribute)
    facts = draft.facts
    to = {a.site for a in facts.value(call.func.value.id) if isinstance(a, Optimizer)}
    given = facts.value(argument.value.id)
    come = {a.site for a in given if isinstance(a, Part) and a.kind == "state"}
    if to == come:
        return False
    known = [of(site) for site in sorted(to | come)]
    ways = {(one.rate, one.overridden, one.groups, one.clips) for one in known}
    made = {_signature(draft, use.node) for one in known for use in one.made}
    return len(ways) > 1 or len(made) > 1


def _signature(draft: Draft, node: t.Expression) -> object:
    """The class that a constructor call is of, and which arguments it is given."""
    assert isinstance(node, t.Call)
    names = tuple(sorted(a.keyword or a.star for a in node.args))
    return frozenset(draft.facts.classes(node.id)), names


def _is_put_back(draft: Draft, node: t.Attribute, above: tuple[Node, ...]) -> bool:
    """Whether a read stands in `other.replace(state=optimizer.state)`."""
    other = takes_state(above)
    if other is None or not simple(node.value):
        return False
    return site_of(draft.facts.value(other.id), Optimizer) is not None


def _is_for_moments(above: tuple[Node, ...]) -> bool:
    """Whether a state is only read for its moments, or to replace them."""
    match above[-2:]:
        case (*_, t.Attribute(attr="param_states")):
            return True
        case (t.Call() as call, t.Attribute(attr="replace")):
            return new_moments(call) is not None
    return False
