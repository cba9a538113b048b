"""Optimizers of the program's own: subclasses of OptimizerDef, which say how their parameters start and are updated,
and of MultiOptimizer, which look at what they are given.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything, walk
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.objects import optimizer_base
from flax2optax.codemod.infer.values import OptimizerClass
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.draft import Draft, pieces
from flax2optax.codemod.plan.edits import Replace
from flax2optax.codemod.plan.group_rates import rated_groups
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.rates import FlowFacts, held, is_multi

NEEDED = (("apply_param_gradient", "apply_gradient"), ("init_param_state", "init_state"))
KEPT_BY_BASE = frozenset({
    "update_hyper_params", "create", "state_dict", "restore_state", "replace", "init", "update",
})  # fmt: skip
# What each base that is written into the program brings with it.
WRITTEN = {
    "OptimizerDef": ("OptimizerState", "OptimizerDef"),
    "MultiOptimizer": ("multi_optimizer", "MultiOptimizer"),
}
# Of MultiOptimizer: what a subclass may have of its own, and what it may read of itself.
LOOKS = frozenset({"init_state"})
READS = frozenset({"traversals"})
MAGIC = frozenset({"__iter__", "__getattr__", "__getattribute__"})
INTERFACE = KEPT_BY_BASE | {
    "__init__", "apply_gradient", "apply_param_gradient", "init_param_state", "hyper_params", "traversals",
    "sub_optimizers", "tx",
}  # fmt: skip


def plan_custom(
    draft: Draft, module: t.Module, use: Occurrence, class_id: NodeId, known: FlowFacts
) -> None:
    """A call of the program's own class: it stays, if the class has the common shape."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    class_ = draft.facts.machine.classes[class_id]
    reason = obstacle(draft, class_)
    if not reason and use.node.id in held(draft.facts, "inner") and has_own_start(draft, use):
        reason = "a MultiOptimizer of flax does not call its `init_state`"
    if reason:
        draft.stop(
            flow, "FXO204", use.node.id, f"the optimizer is a class of this program: {reason}"
        )
        return
    flow.files[class_.module.path] = None
    if known.groups and is_multi(draft.facts, use):
        written = rated_groups(draft, module, use, known, pieces(use.node.func.id))
        if written is not None:
            draft.edit(flow, Replace(use.node.id, written))
    elif known.rate is Rate.UPDATE and any(is_multi(draft.facts, one) for one in known.made):
        # What is inside of another transformation gets the step's overrides only if its type says so.
        optax = draft.library(flow, module, "optax")
        start = f"{optax}.GradientTransformationExtraArgs(\v*"
        draft.edit(flow, Replace(use.node.id, pieces(start, use.node.id, ")")))


def plan_base(draft: Draft, module: t.Module, use: Occurrence, class_: t.Class) -> None:
    """`class Own(optim.OptimizerDef)`: the base that is written into the program instead."""
    flow = draft.file_flow(module)
    draft.find(flow, "FXO204", use.node.id, "`flax.optim.OptimizerDef` was removed")
    reason = obstacle(draft, class_) if use.name in WRITTEN else f"it inherits from `{use.name}`"
    if reason:
        draft.stop(
            flow,
            "FXO204",
            use.node.id,
            f"`{class_.name}` is an optimizer of this program: {reason}",
        )
        return
    for name in WRITTEN[use.name]:
        draft.support(flow, module, name)
    draft.edit(flow, Replace(use.node.id, (use.name,)))


def plan_own_state(draft: Draft, module: t.Module, node: t.Expression) -> None:
    """`optim.OptimizerState` in a class of the program that says how optimizers work: the one written in."""
    flow = draft.file_flow(module)
    draft.find(flow, "FXO204", node.id, "`flax.optim.OptimizerState` was removed")
    draft.edit(flow, Replace(node.id, ("OptimizerState",)))


def in_own_class(facts: OptimizerFacts, above: tuple[Node, ...]) -> bool:
    """Whether a place is inside of a class of the program that inherits from OptimizerDef."""
    bases = (optimizer_base(facts.machine, node.id) for node in above if isinstance(node, t.Class))
    return any(base is not None and base.name != "MultiOptimizer" for base in bases)


def obstacle(draft: Draft, class_: t.Class) -> str:
    """Why the written-in base is not enough for a class; '' where it is."""
    methods = {
        s.definition.name
        for s in class_.body
        if isinstance(s, t.Define) and isinstance(s.definition, t.Function)
    }
    machine = draft.facts.machine
    given = {str(name) for name in machine.fields(("class", class_.id))} - _bound_in(class_)
    if given:
        return f"it gets its `{min(given)}` from outside of it"
    if computed := sorted(_bound_in(class_) - methods & (KEPT_BY_BASE | INTERFACE | LOOKS | MAGIC)):
        return f"its `{computed[0]}` is no plain method"
    if len(class_.arguments) != 1 or class_.arguments[0].keyword:
        return "it has more than one base class"
    if class_.decorators:
        return "it has decorators"
    found = draft.facts.value(class_.arguments[0].value.id)
    names = {a.name if isinstance(a, OptimizerClass) else "" for a in found}
    if names == {"MultiOptimizer"}:
        return _obstacle_of_groups(class_, methods)
    if names != {"OptimizerDef"}:
        return "its base class is neither `OptimizerDef` nor `MultiOptimizer` itself"
    own = sorted(methods & KEPT_BY_BASE)
    if own:
        return f"it has a `{own[0]}` of its own"
    if _counts_otherwise(draft, class_):
        return "its state does not count every step by one"
    missing = [names[0] for names in NEEDED if not methods.intersection(names)]
    if missing:
        return f"it has no `{missing[0]}`"
    return _name_taken(class_, WRITTEN["OptimizerDef"])


def has_own_start(draft: Draft, use: Occurrence) -> bool:
    """Whether a constructor is of a class of the program with an `init_state`, which flax's groups do not call."""
    made = (
        a.class_ for a in draft.facts.classes(use.node.id) if a.class_ and a.name == "OptimizerDef"
    )
    return any("init_state" in _bound_in(draft.facts.machine.classes[one]) for one in made)


def _counts_otherwise(draft: Draft, class_: t.Class) -> bool:
    """Whether some state is made whose step is neither 0 nor the last one and 1."""
    for node, _ in walk(class_.body):
        if not isinstance(node, t.Call) or not node.args:
            continue
        callee = draft.facts.value(node.func.id)
        if not any(isinstance(a, OptimizerClass) and a.name == "OptimizerState" for a in callee):
            continue
        step = next((a.value for a in node.args if a.keyword == "step"), node.args[0].value)
        if isinstance(step, t.Operation) and step.operator == "+":
            added = [one.value for one in step.operands if isinstance(one, t.Constant)]
            if added != [1]:
                return True
        elif any(
            isinstance(inner, t.Constant) and isinstance(inner.value, int) and inner.value != 0
            for inner, _ in walk((step,))
        ):
            return True
    return False


def _bound_in(class_: t.Class) -> set[str]:
    """Every name that the body of a class binds, not only by a `def` of its own."""
    found: set[str] = set()
    for node, above in walk(class_.body):
        if any(isinstance(one, t.Function | t.Class) for one in above):
            continue
        if isinstance(node, t.Function | t.Class) or (
            isinstance(node, t.Name) and isinstance(above[-1], t.Assign | t.For | t.Sequence)
        ):
            found.add(node.name)
    return found


def _obstacle_of_groups(class_: t.Class, methods: set[str]) -> str:
    """The same for a class that inherits from MultiOptimizer: it may look at the params, and at its traversals."""
    own = sorted(methods & INTERFACE - LOOKS)
    if own:
        return f"it has a `{own[0]}` of its own"
    for statement in class_.body:
        if not isinstance(statement, t.Define) or not isinstance(statement.definition, t.Function):
            continue
        function = statement.definition
        if function.decorators or not function.parameters:
            return f"its `{function.name}` is no plain method"
        strange = _strange_use(function, READS | methods)
        if strange:
            return strange
    return _name_taken(class_, WRITTEN["MultiOptimizer"])


def _strange_use(function: t.Function, known: Set[str]) -> str:
    """What a method does with itself, or with what its base returns, that is not known to go on; '' where nothing."""
    own = function.parameters[0].name
    for node, above in walk(function.body):
        over = above[-1] if above else None
        if isinstance(node, t.Name) and node.name == own:
            kept = isinstance(above[-2] if len(above) > 1 else None, t.Assign | t.AugAssign) and (
                over in getattr(above[-2], "targets", (getattr(above[-2], "target", None),))
            )
            if not isinstance(over, t.Attribute) or over.attr not in known or kept:
                return f"its `{function.name}` uses `{own}` in other ways than its traversals"
        if isinstance(node, t.Name) and node.name == "super":
            if not _is_returned(above):
                return f"its `{function.name}` does something with what its base class returns"
    return ""


def _is_returned(above: tuple[Node, ...]) -> bool:
    """Whether `super` stands in `return super().init_state(params)`."""
    match above[-4:]:
        case (t.Return(), t.Call(func=method), t.Attribute(attr=name) as found, t.Call(args=())):
            return method is found and name in LOOKS
    return False


def _name_taken(class_: t.Class, written: Sequence[str]) -> str:
    """The base and what it needs have names of their own in the program."""
    for node, _ in everything(class_.module):
        names: list[str] = []
        if isinstance(node, t.Class | t.Function):
            names = [node.name]
        elif isinstance(node, t.Import) and not (node.module or "").startswith("flax.optim"):
            names = [alias.asname or alias.name for alias in node.aliases]
        taken = next((name for name in names if name in written), None)
        if taken:
            return f"the name `{taken}` is taken"
    return ""
