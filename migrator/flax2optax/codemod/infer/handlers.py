"""Library functions that take more than a line to say what they do."""

from __future__ import annotations

from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args
from flax2optax.codemod.infer.control import (
    cond,
    eval_shape,
    fold,
    grad_of,
    lax_map,
    map_,
    scan,
    select,
    switch,
)
from flax2optax.codemod.infer.gathering import (
    dict_,
    enumerate_,
    namedtuple,
    namespace,
    next_,
    range_,
    sum_,
    zip_,
)
from flax2optax.codemod.infer.library import (
    call_back,
)
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import (
    STRUCTURE,
    carried,
)
from flax2optax.codemod.infer.questions import (
    GETS,
    attrgetter,
    everything_here,
    get_attributes,
    getattr_,
    hasattr_,
    import_module,
    isinstance_,
    replace_fields,
    setattr_,
    text_of,
    type_,
)
from flax2optax.codemod.infer.trees import flatten, structure, unflatten, unflattened
from flax2optax.codemod.infer.values import (
    OTHER,
    Definition,
    External,
    Serialized,
    Value,
    one,
)


def _to_state_dict(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    found = carried(m, reader, args.get(0), instances=True)
    return one(Serialized(node.id)) if any(not isinstance(a, Definition) for a in found) else OTHER


def _wraps(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    return one(External("identity"))


def _cast(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    return args.get(1) or OTHER


def _app_run(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    call_back(m, reader, node, args)
    return OTHER


Handler = Callable[[Machine, Frame, t.Expression, Args], Value]


HANDLERS: dict[str, Handler] = {
    "jax.grad": grad_of(False),
    "jax.value_and_grad": grad_of(True),
    "jax.lax.scan": scan,
    "flax.jax_utils.scan_in_dim": scan,
    "jax.lax.while_loop": fold(1, 2, 0),
    "jax.lax.fori_loop": fold(2, 3, 1),
    "jax.lax.cond": cond,
    "jax.lax.switch": switch,
    "jax.lax.map": lax_map,
    "jmp.select_tree": select,
    "builtins.map": map_,
    "jax.eval_shape": eval_shape,
    "operator.attrgetter": attrgetter,
    "importlib.import_module": import_module,
    GETS: get_attributes,
    "types.SimpleNamespace": namespace,
    "argparse.Namespace": namespace,
    "ml_collections.ConfigDict": namespace,
    "ml_collections.config_dict.ConfigDict": namespace,
    "ml_collections.FrozenConfigDict": namespace,
    "ml_collections.config_dict.FrozenConfigDict": namespace,
    "collections.namedtuple": namedtuple,
    "builtins.zip": zip_,
    "builtins.sum": sum_,
    "builtins.hasattr": hasattr_,
    "builtins.isinstance": isinstance_,
    "builtins.str": text_of,
    "builtins.repr": text_of,
    "builtins.eval": everything_here,
    "builtins.exec": everything_here,
    "builtins.globals": everything_here,
    "builtins.locals": everything_here,
    "builtins.enumerate": enumerate_,
    "builtins.range": range_,
    "builtins.next": next_,
    "builtins.dict": dict_,
    "flax.core.FrozenDict": dict_,
    "flax.core.frozen_dict.FrozenDict": dict_,
    "collections.OrderedDict": dict_,
    "builtins.getattr": getattr_,
    "builtins.setattr": setattr_,
    "builtins.type": type_,
    "dataclasses.replace": replace_fields,
    "flax.serialization.to_state_dict": _to_state_dict,
    "functools.wraps": _wraps,
    "typing.cast": _cast,
    "jax.tree_util.tree_structure": structure,
    "jax.tree_structure": structure,
    "jax.tree.structure": structure,
    "jax.tree_util.tree_unflatten": unflatten,
    "jax.tree_unflatten": unflatten,
    "jax.tree.unflatten": unflatten,
    f"{STRUCTURE}.unflatten": unflattened,
    "jax.tree_util.tree_flatten": flatten,
    "jax.tree_flatten": flatten,
    "jax.tree.flatten": flatten,
    "absl.app.run": _app_run,
}
