"""`optimizer.replicate()`: the copy on every device, and the averaging of gradients that it brought into every step."""

from __future__ import annotations

from collections.abc import Sequence

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import everything
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.flows import sites
from flax2optax.codemod.infer.values import External, FunctionRef, Transformed
from flax2optax.codemod.plan.draft import Draft, pieces
from flax2optax.codemod.plan.edits import Pieces, Replace
from flax2optax.codemod.plan.explicit_names import functions_above
from flax2optax.codemod.plan.occurrences import Occurrence

COMPUTED = "?"
_STORING = ("flax.training.checkpoints.", "flax.serialization.", "flax.jax_utils.replicate")


def replicated_axis(uses: Sequence[Occurrence]) -> str:
    """The axis name that `replicate` was given; '' where no optimizer of the flow is replicated by it."""
    found = {
        _axis(use.node) for use in uses if use.name == "replicate" and isinstance(use.node, t.Call)
    }
    return "" if not found else found.pop() if len(found) == 1 else COMPUTED


def _axis(node: t.Call) -> str:
    for index, argument in enumerate(node.args):
        if argument.keyword == "axis_name" or (argument.keyword is None and index == 1):
            value = argument.value
            named = isinstance(value, t.Constant) and isinstance(value.value, str)
            return str(value.value) if isinstance(value, t.Constant) and named else COMPUTED
        if argument.star:
            return COMPUTED
    return "batch"


def plan_replicate(draft: Draft, module: t.Module, use: Occurrence, axis: str) -> None:
    """The copying moves to `jax_utils`."""
    assert (
        isinstance(use.node, t.Call)
        and isinstance(use.node.func, t.Attribute)
        and use.flow is not None
    )
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO307", use.node.id, f"`Optimizer.{use.name}` was removed with flax.optim")
    reason = _obstacle(draft.facts, use) if use.name == "replicate" else ""
    if axis == COMPUTED or not axis:
        reason = "the axis over which a replicated optimizer averages its gradients cannot be seen"
    if reason:
        draft.stop(flow, "FXO307", use.node.id, reason)
        return
    jax_utils = draft.library(flow, module, "flax.jax_utils")
    devices = [
        a
        for i, a in enumerate(use.node.args)
        if a.keyword == "devices" or (a.keyword is None and i == 0)
    ]
    more = pieces(", ", devices[0].value.id) if devices else ()
    draft.edit(
        flow,
        Replace(use.node.id, pieces(f"{jax_utils}.{use.name}(", use.node.func.value.id, more, ")")),
    )


def averaged(
    draft: Draft, module: t.Module, use: Occurrence, axis: str, gradients: Pieces
) -> Pieces:
    """The gradients as a replicated optimizer applied them."""
    assert use.flow is not None
    flow = draft.flow(use.flow)
    if not axis:
        return gradients
    if not _only_mapped(draft.facts, use):
        draft.stop(
            flow, "FXO307", use.node.id,
            "a replicated optimizer averages its gradients, and it cannot be seen that this step always has one",
        )  # fmt: skip
    jax = draft.library(flow, module, "jax")
    return pieces(f"{jax}.lax.pmean(", gradients, f", axis_name='{axis}')")


def _only_mapped(facts: OptimizerFacts, use: Occurrence) -> bool:
    """Whether the function of a step is only ever called through `pmap`."""
    functions = functions_above(use.above)
    if not functions:
        return False
    outermost = functions[-1]
    mapped = False
    for module in facts.program.modules.values():
        for node, _above in everything(module):
            if not isinstance(node, t.Expression):
                continue
            for atom in facts.value(node.id):
                if isinstance(atom, Transformed) and _is(atom.function, outermost):
                    mapped = mapped or atom.kind == "pmap"
            if isinstance(node, t.Call) and any(
                _is(a, outermost) for a in facts.value(node.func.id)
            ):
                return False
    return mapped


def _is(atom: object, function: t.Function) -> bool:
    if isinstance(atom, Transformed) and atom.kind != "pmap":
        return _is(atom.function, function)
    return isinstance(atom, FunctionRef) and atom.function == function.id


def _obstacle(facts: OptimizerFacts, use: Occurrence) -> str:
    """Why the averaging, or the single copy that was stored of a replicated optimizer, would be lost."""
    assert use.flow is not None
    root = facts.flows.find(use.flow)
    for module in facts.program.modules.values():
        for node, _ in everything(module):
            if isinstance(node, t.Call) and _stores(facts, node):
                given = (site for a in node.args for site in sites(facts.value(a.value.id)))
                if any(facts.flows.find(site) == root for site in given):
                    return (
                        "an optimizer with `replicate` is also stored, or replicated by other means"
                    )
    return ""


def _stores(facts: OptimizerFacts, node: t.Call) -> bool:
    return any(
        isinstance(a, External) and a.name.startswith(_STORING) for a in facts.value(node.func.id)
    )
