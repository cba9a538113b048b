"""Optimizers of the program's own: subclasses of OptimizerDef that say how one parameter starts and is updated."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.infer.values import OptimizerClass
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import Replace
from flax2optax.codemod.plan.occurrences import Occurrence

NEEDED = ("apply_param_gradient", "init_param_state")
KEPT_BY_BASE = frozenset({
    "apply_gradient", "init_state", "update_hyper_params", "create", "state_dict", "restore_state", "replace",
    "init", "update",
})  # fmt: skip


def plan_custom(draft: Draft, use: Occurrence, class_id: NodeId) -> None:
    """A call of the program's own class: it stays, if the class has the common shape."""
    assert use.flow is not None
    flow = draft.flow(use.flow)
    class_ = draft.facts.machine.classes[class_id]
    reason = obstacle(draft, class_)
    if reason:
        draft.stop(
            flow, "FXO204", use.node.id, f"the optimizer is a class of this program: {reason}"
        )
    else:
        flow.files[class_.module.path] = None


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
    draft.support(flow, module, "OptimizerDef")
    draft.edit(flow, Replace(use.node.id, ("OptimizerDef",)))


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
    missing = [name for name in NEEDED if name not in methods]
    if missing:
        return f"it has no `{missing[0]}`"
    return _name_taken(class_)


def _name_taken(class_: t.Class) -> str:
    """The base is called `OptimizerDef` in the program."""
    for node, _ in walk(class_.module.body):
        if isinstance(node, t.Class | t.Function) and node.name == "OptimizerDef":
            return "the name `OptimizerDef` is taken"
        if isinstance(node, t.Import) and not (node.module or "").startswith("flax.optim"):
            if any((alias.asname or alias.name) == "OptimizerDef" for alias in node.aliases):
                return "the name `OptimizerDef` is taken"
    return ""
