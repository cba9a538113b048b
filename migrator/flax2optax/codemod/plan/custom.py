"""Optimizers of the program's own: subclasses of OptimizerDef that say how their parameters start and are updated."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.objects import optimizer_base
from flax2optax.codemod.infer.values import OptimizerClass
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.draft import Draft, pieces
from flax2optax.codemod.plan.edits import Replace
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.rates import FlowFacts

NEEDED = (("apply_param_gradient", "apply_gradient"), ("init_param_state", "init_state"))
KEPT_BY_BASE = frozenset({
    "update_hyper_params", "create", "state_dict", "restore_state", "replace", "init", "update",
})  # fmt: skip
WRITTEN = ("OptimizerState", "OptimizerDef")  # what the base brings with it


def plan_custom(
    draft: Draft, module: t.Module, use: Occurrence, class_id: NodeId, known: FlowFacts
) -> None:
    """A call of the program's own class: it stays, if the class has the common shape."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    class_ = draft.facts.machine.classes[class_id]
    reason = obstacle(draft, class_)
    if reason:
        draft.stop(
            flow, "FXO204", use.node.id, f"the optimizer is a class of this program: {reason}"
        )
        return
    flow.files[class_.module.path] = None
    if known.rate is Rate.UPDATE and any(_is_multi(draft, one) for one in known.made):
        # What is inside of another transformation gets the step's overrides only if its type says so.
        optax = draft.library(flow, module, "optax")
        start = f"{optax}.GradientTransformationExtraArgs(\v*"
        draft.edit(flow, Replace(use.node.id, pieces(start, use.node.id, ")")))


def _is_multi(draft: Draft, use: Occurrence) -> bool:
    return any(atom.name == "MultiOptimizer" for atom in draft.facts.classes(use.node.id))


def plan_base(draft: Draft, module: t.Module, use: Occurrence, class_: t.Class) -> None:
    """`class Own(optim.OptimizerDef)`: the base that is written into the program instead."""
    flow = draft.file_flow(module)
    draft.find(flow, "FXO204", use.node.id, "`flax.optim.OptimizerDef` was removed")
    reason = (
        obstacle(draft, class_) if use.name == "OptimizerDef" else f"it inherits from `{use.name}`"
    )
    if reason:
        draft.stop(
            flow,
            "FXO204",
            use.node.id,
            f"`{class_.name}` is an optimizer of this program: {reason}",
        )
        return
    for name in WRITTEN:
        draft.support(flow, module, name)
    draft.edit(flow, Replace(use.node.id, ("OptimizerDef",)))


def plan_own_state(draft: Draft, module: t.Module, node: t.Expression) -> None:
    """`optim.OptimizerState` in a class of the program that says how optimizers work: the one written in."""
    flow = draft.file_flow(module)
    draft.find(flow, "FXO204", node.id, "`flax.optim.OptimizerState` was removed")
    draft.edit(flow, Replace(node.id, ("OptimizerState",)))


def in_own_class(facts: OptimizerFacts, above: tuple[Node, ...]) -> bool:
    """Whether a place is inside of a class of the program that inherits from OptimizerDef."""
    return any(
        isinstance(node, t.Class) and optimizer_base(facts.machine, node.id) is not None
        for node in above
    )


def obstacle(draft: Draft, class_: t.Class) -> str:
    """Why the written-in base is not enough for a class; '' where it is."""
    methods = {
        s.definition.name
        for s in class_.body
        if isinstance(s, t.Define) and isinstance(s.definition, t.Function)
    }
    if len(class_.arguments) != 1 or class_.arguments[0].keyword:
        return "it has more than one base class"
    found = draft.facts.value(class_.arguments[0].value.id)
    if not all(isinstance(a, OptimizerClass) and a.name == "OptimizerDef" for a in found):
        return "its base class is not `OptimizerDef` itself"
    if class_.decorators:
        return "it has decorators"
    own = sorted(methods & KEPT_BY_BASE)
    if own:
        return f"it has a `{own[0]}` of its own"
    missing = [names[0] for names in NEEDED if not methods.intersection(names)]
    if missing:
        return f"it has no `{missing[0]}`"
    return _name_taken(class_)


def _name_taken(class_: t.Class) -> str:
    """The base and its state have names of their own in the program."""
    for node, _ in everything(class_.module):
        names: list[str] = []
        if isinstance(node, t.Class | t.Function):
            names = [node.name]
        elif isinstance(node, t.Import) and not (node.module or "").startswith("flax.optim"):
            names = [alias.asname or alias.name for alias in node.aliases]
        taken = next((name for name in names if name in WRITTEN), None)
        if taken:
            return f"the name `{taken}` is taken"
    return ""
