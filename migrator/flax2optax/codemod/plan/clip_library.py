"""The library functions that hand-written clips call, by dotted name."""

from __future__ import annotations

import operator
from functools import partial

from flax2optax.codemod.plan import clip_model as model
from flax2optax.codemod.plan.clip_model import NotUnderstood, Op

OPERATORS: dict[str, Op] = model.each(
    (
        ("+", operator.add),
        ("-", operator.sub),
        ("*", operator.mul),
        ("/", model.divide),
        ("**", model.power),
        ("<", operator.lt),
        ("<=", operator.le),
        (">", operator.gt),
        (">=", operator.ge),
    )
)
_ELEMENTWISE = model.each(
    (
        ("sqrt", model.root),
        ("square", lambda x: x * x),
        ("minimum", model.minimum),
        ("maximum", model.maximum),
        ("min", model.minimum),
        ("max", model.maximum),
        ("power", model.power),
        ("add", operator.add),
        ("multiply", operator.mul),
        ("mul", operator.mul),
        ("divide", model.divide),
        ("true_divide", model.divide),
        ("div", model.divide),
        ("less", operator.lt),
        ("less_equal", operator.le),
        ("greater", operator.gt),
        ("greater_equal", operator.ge),
        ("lt", operator.lt),
        ("gt", operator.gt),
    )
)
_LAX_ONLY = frozenset({"min", "max", "mul", "div", "lt", "gt"})
_NUMPY: dict[str, Op] = {
    **{name: op for name, op in _ELEMENTWISE.items() if name not in _LAX_ONLY},
    "abs": model.magnitude,
    "absolute": model.magnitude,
    "sum": model.total,
    "vdot": model.inner,
    "dot": model.dot,
    "inner": model.dot,
    "linalg.norm": model.norm,
    "ravel": model.ravel,
    "reshape": model.reshape,
    "stack": model.vector,
    "array": model.vector,
    "asarray": model.vector,
    "hstack": model.concatenate,
    "concatenate": model.concatenate,
    "where": model.where,
    "clip": model.clip,
}
_LAX: dict[str, Op] = {
    "sqrt": _ELEMENTWISE["sqrt"],
    "square": _ELEMENTWISE["square"],
    **{name: _ELEMENTWISE[name] for name in _LAX_ONLY},
    "select": model.where,
    "clamp": lambda low, value, high: model.clip(value, low, high),
    "cond": model.cond,
}
_TREE: dict[str, Op] = {
    "map": model.tree_map,
    "multimap": model.tree_map,
    "leaves": model.leaves,
    "flatten": model.flatten,
    "unflatten": model.unflatten,
    "reduce": model.fold,
}
_OPTIMIZERS: dict[str, Op] = {"l2_norm": model.global_norm, "clip_grads": model.clip_by_norm}

LIBRARY: dict[str, Op] = {
    **{f"{package}.{name}": op for package in ("jax.numpy", "numpy") for name, op in _NUMPY.items()},
    **{f"jax.lax.{name}": op for name, op in _LAX.items()},
    **{f"jax.tree.{name}": op for name, op in _TREE.items() if name != "multimap"},
    **{f"{package}.tree_{name}": op for package in ("jax", "jax.tree_util") for name, op in _TREE.items()},
    **{
        f"jax.{package}.optimizers.{name}": op
        for package in ("example_libraries", "experimental")
        for name, op in _OPTIMIZERS.items()
    },
    "jax.flatten_util.ravel_pytree": model.ravel_pytree,
    "optax.global_norm": model.global_norm,
    "optax.tree.norm": model.global_norm,
    "optax.tree_utils.tree_l2_norm": model.global_norm,
    "functools.partial": partial,
    "jax.tree_util.Partial": partial,
    "functools.reduce": model.fold,
    "operator.add": OPERATORS["+"],
    "operator.mul": OPERATORS["*"],
    "math.sqrt": _ELEMENTWISE["sqrt"],
    "builtins.sum": model.add_up,
    "builtins.map": model.mapped,
    "builtins.list": model.sequence,
    "builtins.tuple": model.sequence,
    "builtins.min": model.smallest,
    "builtins.max": model.largest,
}  # fmt: skip
KEYWORDS: dict[str, dict[str, str]] = {
    **{
        f"{package}.clip": {"min": "low", "a_min": "low", "max": "high", "a_max": "high"}
        for package in ("jax.numpy", "numpy")
    },
    **{
        f"jax.{package}.optimizers.clip_grads": {"max_norm": "limit", "grad_tree": "tree"}
        for package in ("example_libraries", "experimental")
    },
}  # fmt: skip
METHODS: dict[str, Op] = {
    "sum": model.total,
    "ravel": model.ravel,
    "flatten": model.ravel,
    "reshape": model.reshape,
    "dot": model.dot,
}
NEUTRAL = frozenset(
    {"float32", "float64", "float16", "bfloat16"}
)  # jnp.float32(x): only the precision changes


def call(name: str, values: list[object], keywords: dict[str, object]) -> object:
    """Call a library function on model values."""
    if name not in LIBRARY:
        raise NotUnderstood
    if name.endswith(".partial") or name == "jax.tree_util.Partial":
        return LIBRARY[name](*values, **keywords)
    known = KEYWORDS.get(name, {})
    if not keywords.keys() <= known.keys():
        raise NotUnderstood
    try:
        return LIBRARY[name](*values, **{known[key]: value for key, value in keywords.items()})
    except (TypeError, ValueError, OverflowError) as error:
        raise NotUnderstood from error
