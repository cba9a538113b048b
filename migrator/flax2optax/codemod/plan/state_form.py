"""The state form: each optimizer becomes one `TrainState`, in its place; signatures and returns stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.questions import FIELDS
from flax2optax.codemod.plan.annotated import annotated, is_of_optimizers
from flax2optax.codemod.plan.classes import is_variable, plan_class_value
from flax2optax.codemod.plan.clips import chained
from flax2optax.codemod.plan.computed import is_looked_up, plan_lookup
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.counters import plan_counter, sets_a_step
from flax2optax.codemod.plan.custom import has_own_start, in_own_class, plan_base, plan_own_state
from flax2optax.codemod.plan.definitions import plan_construct
from flax2optax.codemod.plan.draft import TRAIN_STATE, Draft, pieces
from flax2optax.codemod.plan.edits import Hole, Pieces, Replace, ReplaceStatement
from flax2optax.codemod.plan.hyper_params import plan_hyper_params
from flax2optax.codemod.plan.methods import plan_method
from flax2optax.codemod.plan.moments import plan_moments, plan_new_moments
from flax2optax.codemod.plan.occurrences import Occurrence, parent
from flax2optax.codemod.plan.rates import FlowFacts
from flax2optax.codemod.plan.steps import plan_step
from flax2optax.codemod.plan.tested import read_of_unseen
from flax2optax.codemod.plan.whole_states import is_of_another, plan_new_state, plan_state


def plan_occurrence(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """Write the edits and findings of one use."""
    handler = _HANDLERS.get(use.kind)
    if handler is not None:
        handler(draft, module, use, of)
    else:
        _stop_unknown(draft, module, use)


def create_pieces(
    draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts, params: Pieces, tx: Pieces
) -> Pieces:
    """The expression that makes the TrainState."""
    assert use.flow is not None
    flow = draft.flow(use.flow)
    state = draft.object(flow, module, TRAIN_STATE)
    jnp = draft.library(flow, module, "jax.numpy")
    if known.clips:
        tx = chained(known.clips, draft.library(flow, module, "optax"), tx)
    if known.bare:
        start = f"{state}(\vstep={jnp}.int32(0), apply_fn=None, params="
        return pieces(start, params, ",\v tx=", tx, ",\v opt_state=", tx, ".init(", params, "))")
    start, end = f"{state}.create(\vapply_fn=None, params=", f").replace(\vstep={jnp}.int32(0))"
    return pieces(start, params, ",\v tx=", tx, end)


def _create(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    assert (
        isinstance(use.node, t.Call)
        and isinstance(use.node.func, t.Attribute)
        and use.flow is not None
    )
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO302", use.node.id, "`OptimizerDef.create` was removed with flax.optim")
    arguments = {
        a.keyword or ("target", "focus")[i]: a.value for i, a in enumerate(use.node.args[:2])
    }
    if "target" not in arguments or len(use.node.args) > 2 or any(a.star for a in use.node.args):
        draft.stop(flow, "FXO302", use.node.id, "the arguments of `create` are computed")
        return
    tx: Pieces = (Hole(use.node.func.value.id),)
    focus = arguments.get("focus")
    if focus is not None and not (isinstance(focus, t.Constant) and focus.value is None):
        if of(use.flow).rate in (Rate.STATE, Rate.GROUPS, Rate.UPDATE):
            message = "the steps override hyperparameters that are inside of the focus"
            draft.stop(flow, "FXO502", use.node.id, message)
        if any(has_own_start(draft, one) for one in of(use.flow).made):
            message = "the optimizer is a class of this program: a focus of flax does not call its `init_state`"
            draft.stop(flow, "FXO204", use.node.id, message)
        draft.support(flow, module, "multi_optimizer")
        tx = pieces("multi_optimizer((", focus.id, ", ", tx, "))")
    params = (Hole(arguments["target"].id),)
    draft.edit(
        flow, Replace(use.node.id, create_pieces(draft, module, use, of(use.flow), params, tx))
    )


def _create_value(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """`jax.jit(definition.create)`: a lambda that does what `create` did."""
    assert isinstance(use.node, t.Attribute) and use.flow is not None
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO302", use.node.id, "`OptimizerDef.create` was removed with flax.optim")
    name = draft.fresh(use.above, "params")
    made = create_pieces(draft, module, use, of(use.flow), (name,), (Hole(use.node.value.id),))
    draft.edit(flow, Replace(use.node.id, pieces(f"lambda {name}: ", made)))


def _target(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    assert isinstance(use.node, t.Attribute) and use.flow is not None
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO303", use.node.id, "`Optimizer.target` is `params` in Optax's terms")
    draft.edit(flow, Replace(use.node.attr_id, ("params",)))


def _asked(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """`hasattr(optimizer, 'target')`; a question for anything else has stopped the flow."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    asked, flow = use.node.args[1].value, draft.flow(use.flow)
    new = FIELDS.get(str(asked.value)) if isinstance(asked, t.Constant) else None
    if new is None or not isinstance(asked, t.Constant):
        message = "the name of the field that is asked for is computed"
        draft.stop(flow, "FXO309", use.node.id, message)
        return
    draft.find(flow, "FXO303", use.node.id, f"`Optimizer.{asked.value}` is `{new}` of a TrainState")
    draft.edit(flow, Replace(asked.id, (repr(new),)))


def _step(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    assert (
        isinstance(use.node, t.Attribute)
        and isinstance(use.node.value, t.Attribute)
        and use.flow is not None
    )
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO304", use.node.id, "the step counter is a field of the state")
    draft.edit(flow, Replace(use.node.id, pieces(use.node.value.value.id, ".step")))


def _apply(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    assert use.flow is not None
    plan_step(draft, module, use, of(use.flow))


def _replace(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO305", use.node.id, "`Optimizer.replace` names the fields of flax.optim")
    if plan_counter(draft, flow, module, use.node):
        return
    for argument in use.node.args:
        if argument.keyword == "target":
            draft.edit(flow, Replace(argument.keyword_id, ("params",)))
        elif argument.keyword == "state" and is_of_another(draft, use.node, argument, of):
            message = "the state is of another optimizer, for which Optax may keep something else"
            draft.stop(flow, "FXO306", argument.id, message)
        elif argument.keyword != "state" or not plan_new_state(
            draft, flow, module, use.node, argument
        ):
            draft.stop(
                flow, "FXO305", argument.id, f"`replace` sets `{argument.keyword or argument.star}`"
            )


def _state(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    assert isinstance(use.node, t.Attribute) and use.flow is not None
    if not sets_a_step(use.node, use.above):
        plan_state(draft, draft.flow(use.flow), use.node, use.above)


def _state_step(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    assert isinstance(use.node, t.Attribute) and use.flow is not None
    flow = draft.flow(use.flow)
    draft.find(flow, "FXO304", use.node.id, "the step counter is a field of the state")
    draft.edit(flow, Replace(use.node.id, pieces(use.node.value.id, "[0]")))


def _method(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    assert use.flow is not None
    plan_method(draft, module, use, of(use.flow))


def _definition(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """`optimizer.optimizer_def.hyper_params`; nothing else of a definition can be had."""
    assert use.flow is not None
    over = parent(use.above)
    if (
        use.kind == "optimizer_def"
        and isinstance(over, t.Attribute)
        and over.attr == "hyper_params"
    ):
        return
    if use.kind == "definition_attribute" and use.name == "hyper_params":
        plan_hyper_params(draft, module, use, of(use.flow))
    else:
        _stop_unknown(draft, module, use)


def _class(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """A class of flax.optim that is named and not called: annotations, `isinstance`, aliases."""
    flow = draft.file_flow(module)
    over = use.above[-1] if use.above else None
    outer = use.above[-2] if len(use.above) > 1 else None
    if isinstance(over, t.Argument) and isinstance(outer, t.Class):
        plan_base(draft, module, use, outer)
        return
    if is_variable(draft, use.node):
        return
    if use.name == "OptimizerState" and in_own_class(draft.facts, use.above):
        plan_own_state(draft, module, use.node)
    elif use.name in _TYPES or annotated(use.node, use.above) is not None:
        draft.find(flow, "FXO801", use.node.id, f"`flax.optim.{use.name}` was removed")
        if use.name == "Optimizer" and (lost := read_of_unseen(draft, module, use)) is not None:
            message = f"`{lost.attr}` of a value that only a test for its class tells"
            draft.stop(flow, "FXO310", lost.id, message)
        dotted = _TYPES.get(use.name, "optax.GradientTransformation")
        if use.name not in _TYPES and is_of_optimizers(draft.facts, use.node, use.above):
            dotted = TRAIN_STATE
        draft.edit(flow, Replace(use.node.id, (draft.object(flow, module, dotted),)))
    else:
        plan_class_value(draft, module, use, of)


_TYPES = {
    "Optimizer": TRAIN_STATE,
    "OptimizerDef": "optax.GradientTransformation",
    "OptimizerState": "optax.OptState",
}


_MOVED = {
    "DynamicScale": "flax.training.dynamic_scale.DynamicScale",
    "DynamicScaleResult": "flax.training.dynamic_scale.DynamicScaleResult",
    "ModelParamTraversal": "flax.traverse_util.ModelParamTraversal",
    "dynamic_scale": "flax.training.dynamic_scale",
}


# Functions of JAX that `flax.nn` only handed on, as `flax.linen` does.
_ACTIVATIONS = frozenset(
    f"{module}.{name}"
    for module in ("flax.nn", "flax.deprecated.nn")
    for name in (
        "celu", "elu", "gelu", "glu", "leaky_relu", "log_sigmoid", "log_softmax", "relu", "sigmoid",
        "soft_sign", "softmax", "softplus", "swish", "silu", "tanh",
    )
)  # fmt: skip


def _external(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    flow = draft.file_flow(module)
    last = use.name.rsplit(".", 1)[-1]
    if use.name in _ACTIVATIONS:
        draft.find(flow, "FXO102", use.node.id, f"`{use.name}` is `flax.linen.{last}`")
        spelled = draft.object(flow, module, f"flax.linen.{last}")
        draft.edit(flow, Replace(use.node.id, (spelled,)))
        return
    if not use.name.startswith("flax.optim"):
        draft.stop(
            flow, "FXO902", use.node.id, "the program uses `flax.nn`, the modules before Linen"
        )
        return
    if use.name == "flax.optim" and is_looked_up(draft.facts, use):
        return
    if last in _MOVED and last != "dynamic_scale":
        draft.find(flow, "FXO101", use.node.id, f"`{last}` moved to `{_MOVED[last]}`")
        draft.edit(flow, Replace(use.node.id, (draft.object(flow, module, _MOVED[last]),)))
    elif use.name == "flax.optim" and (alias := _module_alias(module, use)) is not None:
        draft.find(flow, "FXO101", use.node.id, "`flax.optim` was removed")
        draft.edit(flow, ReplaceStatement(alias.id, alias.line, ()))
    else:
        draft.stop(flow, "FXO901", use.node.id, f"`{use.name}` is used as a value")


def _module_alias(module: t.Module, use: Occurrence) -> t.Assign | None:
    """The statement `optim = flax.optim`, which goes when every use of the alias is rewritten."""
    over = use.above[-1] if use.above else None
    if not isinstance(over, t.Assign) or over.line in module.inline:
        return None
    return over if all(isinstance(target, t.Name) for target in over.targets) else None


def _unresolved(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    flow = draft.file_flow(module)
    draft.stop(
        flow, "FXO310", use.node.id, f"`{use.name}` of a value whose origin is not in this program",
        "annotate it as flax.optim.Optimizer, or migrate it by hand",
    )  # fmt: skip


_REASONS = {
    "mixed": ("FXO311", "the value may be an optimizer or something else"),
    "optimizer_def": ("FXO308", "the definition is read from the optimizer"),
    "definition_attribute": ("FXO308", "a part of the definition is read"),
    "method_value": ("FXO307", "a method of the optimizer is used as a value"),
    "state_part": ("FXO306", "the optimizer's state is taken apart"),
    "state_value": ("FXO306", "the optimizer's state is used as a value of its own"),
    "create_indirect": ("FXO302", "`create` is called through a variable"),
    "called": ("FXO902", "the optimizer is called like a function"),
    "context": ("FXO309", "the optimizer is used where it cannot be followed"),
}


def _stop_unknown(draft: Draft, module: t.Module, use: Occurrence) -> None:
    if use.kind == "state_part" and sets_a_step(use.node, use.above):
        return
    code, message = _REASONS[use.kind]
    flow = draft.flow(use.flow) if use.flow is not None else draft.file_flow(module)
    detail = f" (`{use.name}`)" if use.name else ""
    draft.stop(flow, code, use.node.id, message + detail)


def plan_string_annotation(draft: Draft, module: t.Module, node: t.Constant) -> None:
    """`'flax.optim.Optimizer'` in an annotation."""
    text = str(node.value)
    own = {
        alias.bound: alias.name
        for statement in module.imports
        if (statement.module or "").startswith("flax.optim")
        for alias in statement.aliases
        if alias.name in ("Optimizer", "OptimizerDef")
    }
    words = "|".join(own) or "(?!)"
    found = re.search(rf"[\w.]*\boptim\.(Optimizer|OptimizerDef)\b|(?<![\w.])(?:{words})\b", text)
    if found is None:
        return
    flow = draft.file_flow(module)
    draft.find(flow, "FXO801", node.id, f"`{found[0]}` was removed")
    optax = "optax.GradientTransformation"
    kind = found[1] or own[found[0]]
    new = draft.object(flow, module, TRAIN_STATE) if kind == "Optimizer" else optax
    draft.edit(flow, Replace(node.id, (repr(text.replace(found[0], new)),)))


_Handler = Callable[[Draft, t.Module, Occurrence, Callable[[NodeId], FlowFacts]], None]
_HANDLERS: dict[str, _Handler] = {
    "construct": plan_construct,
    "create": _create,
    "create_value": _create_value,
    "create_indirect": lambda draft, module, use, of: None,
    "target": _target,
    "asked": _asked,
    "step": _step,
    "apply": _apply,
    "replace": _replace,
    "state": _state,
    "state_step": _state_step,
    "moments": plan_moments,
    "new_moments": plan_new_moments,
    "method": _method,
    "optimizer_def": _definition,
    "definition_attribute": _definition,
    "class": _class,
    "external": _external,
    "dynamic": plan_lookup,
    "unresolved": _unresolved,
}
