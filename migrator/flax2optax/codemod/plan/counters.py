"""`optimizer.replace(state=optimizer.state.replace(step=…))`: all of Optax's counters move with the step."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import Node
from flax2optax.codemod.plan.draft import Draft, pieces, simple
from flax2optax.codemod.plan.edits import FlowPlan, Hole, Replace
from flax2optax.codemod.plan.hyper_params import is_same


def plan_counter(draft: Draft, flow: FlowPlan, module: t.Module, node: t.Call) -> bool:
    """Write a `replace` that only sets the step; False where it is another one."""
    step = _step_set_by(node)
    if step is None or not isinstance(node.func, t.Attribute):
        return False
    draft.support(flow, module, "at_step")
    optimizer = Hole(node.func.value.id)
    draft.edit(flow, Replace(node.id, pieces("at_step(", optimizer, ", ", Hole(step.id), ")")))
    return True


def sets_a_step(node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether the state, or its `replace`, is read for such a call."""
    for outer in above:
        if isinstance(outer, t.Call) and _step_set_by(outer) is not None:
            inner = outer.args[0].value
            assert isinstance(inner, t.Call) and isinstance(inner.func, t.Attribute)
            if node is inner.func or node is inner.func.value:
                return True
    return False


def _step_set_by(node: t.Call) -> t.Expression | None:
    """The step of `x.replace(state=x.state.replace(step=…))`."""
    inner = _only(node, "replace", "state")
    step = _only(inner, "replace", "step") if isinstance(inner, t.Call) else None
    if step is None or not isinstance(inner, t.Call):
        return None
    assert isinstance(node.func, t.Attribute) and isinstance(inner.func, t.Attribute)
    state = inner.func.value
    if not isinstance(state, t.Attribute) or state.attr != "state" or not simple(state):
        return None
    return step if is_same(node.func.value, state.value) else None


def _only(node: t.Call, method: str, keyword: str) -> t.Expression | None:
    """The one argument of `….method(keyword=argument)`."""
    func = node.func
    if not isinstance(func, t.Attribute) or func.attr != method or len(node.args) != 1:
        return None
    (argument,) = node.args
    return argument.value if argument.keyword == keyword else None
