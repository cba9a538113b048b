"""What each leaf of a new optimizer state is for, by the types that hold it and the state maps of the rules.

In: the state that `tx.init` makes, of arrays or of their shapes. Out: one `Place` for each leaf.
"""

import ast
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import serialization

from flax2optax_rules import RULES, Variant, defaults, render

from .target import evaluate
from .tree import Path, leaves

WEIGHT_NORM = RULES["WeightNorm"].variants[0]
COUNT = "count"


class Role(Enum):
    """Where the value of a leaf comes from."""

    FIELD = "a field of the old state"
    STEP = "the old step"
    KEPT = "a hyperparameter, as the program sets it"
    UNKNOWN = "nothing"


@dataclass(frozen=True, slots=True)
class Source:
    """A field of a flax class, and whether its sign is turned in the rule's own transformation."""

    kind: str
    field: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One leaf of the new state."""

    path: Path
    leaf: Any
    role: Role
    param: Path = ()
    sources: tuple[Source, ...] = ()
    prefix: Path = ()


def places(opt_state: Any) -> list[Place]:
    """Return every leaf of a state with its use."""
    return list(_walk(opt_state, (), weight_norm=False))


def _walk(node: Any, path: Path, *, weight_norm: bool) -> Iterator[Place]:
    if _is_weight_norm(node):
        yield from _weight_norm(node, path)
    elif _is_own_optimizer(node):
        yield from _below(node.step, (*path, "step"), Role.STEP)
        yield from _own(node.param_states, (*path, "param_states"))
    elif isinstance(node, tuple) and hasattr(node, "_fields"):
        for name in node._fields:
            yield from _field(node, name, (*path, name), weight_norm)
    elif isinstance(node, tuple | list):
        for index, child in enumerate(node):
            yield from _walk(child, (*path, str(index)), weight_norm=weight_norm)
    elif isinstance(node, Mapping):
        for name, child in node.items():
            yield from _walk(child, (*path, str(name)), weight_norm=weight_norm)
    else:
        yield from _below(node, path, Role.UNKNOWN)


def _field(node: Any, name: str, path: Path, weight_norm: bool) -> Iterator[Place]:
    child = getattr(node, name)
    sources = fields_of_rules().get((type(node), name))
    if name in (COUNT, "gradient_step"):
        yield from _below(child, path, Role.STEP)
    elif name == "hyperparams":
        yield from _below(child, path, Role.KEPT)
    elif sources:
        for place in _below(child, path, Role.FIELD):
            param = place.path[len(path) :]
            prefix: Path = ()
            if weight_norm:
                prefix, param = (WEIGHT_NORM.parts[param[0]],), param[1:]
            yield Place(place.path, place.leaf, Role.FIELD, param, sources, prefix)
    else:
        yield from _walk(child, path, weight_norm=weight_norm)


def _below(node: Any, path: Path, role: Role) -> Iterator[Place]:
    for name, leaf in leaves(serialization.to_state_dict(node)):
        if leaf is not None:
            yield Place((*path, *name), leaf, role)


def _is_weight_norm(node: Any) -> bool:
    """The state that the rule's support makes: what is trained, and the state of the inner optimizer on it."""
    if type(node) is not tuple or len(node) != 2:
        return False
    return isinstance(node[0], Mapping) and set(node[0]) == set(WEIGHT_NORM.parts)


def _weight_norm(node: Any, path: Path) -> Iterator[Place]:
    for part in WEIGHT_NORM.parts:
        source = (Source("WeightNorm", part, negated=False),)
        for place in _below(node[0][part], (*path, "0", part), Role.FIELD):
            param = place.path[len(path) + 2 :]
            yield Place(place.path, place.leaf, Role.FIELD, param, source)
    yield from _walk(node[1], (*path, "1"), weight_norm=True)


def _is_own_optimizer(node: Any) -> bool:
    """The state that the rule for OptimizerDef makes: a step, and the states of the program's own."""
    return hasattr(node, "step") and hasattr(node, "param_states")


def _own(node: Any, path: Path) -> Iterator[Place]:
    """Which part of a path is the parameter's, and which the field's, is for the old state to say."""
    for place in _below(node, path, Role.FIELD):
        yield Place(place.path, place.leaf, Role.FIELD, place.path[len(path) :])


@cache
def fields_of_rules() -> Mapping[tuple[type, str], tuple[Source, ...]]:
    """Return what each field of an Optax state is called in flax: the state maps of the rules, resolved."""
    found: dict[tuple[type, str], dict[Source, None]] = {}
    params = {"w": jnp.ones((2, 2))}
    for kind, rule in RULES.items():
        for variant in rule.variants:
            if not variant.state or variant.inner:
                continue
            text = render(variant.write, _arguments(variant), defaults(rule))
            state = evaluate(text).init(params)
            for name, path in variant.state.items():
                owner, attribute = _resolve(state, path)
                source = Source(kind, name, path.startswith("-"))
                found.setdefault((type(owner), attribute), {}).setdefault(source)
    return {
        key: tuple(one for one in sources if one.field != "step") for key, sources in found.items()
    }


def _arguments(variant: Variant) -> dict[str, str]:
    """Arguments for which a variant is the one."""
    known = {"learning_rate": "0.1"}
    for condition in (variant.when or "").split():
        name, _, literal = condition.partition("=")
        known[name] = literal or ("True" if name in ("centered", "factored") else "0.5")
    return known


def _resolve(state: Any, path: str) -> tuple[Any, str]:
    tree = ast.parse(f"state{path.removeprefix('-')}", mode="eval").body
    assert isinstance(tree, ast.Attribute)
    owner = eval(ast.unparse(tree.value), {"state": state})
    return owner, tree.attr


def signs(tx: Any, params: Any, wanted: Sequence[Place], steps: int = 3) -> dict[Path, int]:
    """Return the sign that leaves of the state get from positive gradients: 1, -1, or 0 where they stay zero.

    Flax's momentum is then positive; where Optax's is not, the rate was multiplied in before it.
    That is not so if the parameters go up, against the momentum: who climbs turned the gradients himself, and 0 is returned.
    What WeightNorm trains has no such gradients, there the momentum is compared with where it leads.
    """
    start = jax.tree_util.tree_map(_small, params)
    ones = jax.tree_util.tree_map(jnp.ones_like, start)
    tree, state = start, _with_rate(tx.init(start))
    first = dict(leaves(serialization.to_state_dict(state)))
    update = _update(tx)
    update = jax.jit(update) if any(place.prefix for place in wanted) else update
    for _ in range(steps):
        updates, state = update(ones, state, tree)
        tree = jax.tree_util.tree_map(jnp.add, tree, updates)
    last = dict(leaves(serialization.to_state_dict(state)))
    moved = dict(leaves(jax.tree_util.tree_map(jnp.subtract, tree, start)))

    def sign(place: Place) -> int:
        leaf = jnp.asarray(last[place.path], jnp.float32)
        if place.prefix:
            trained = _trained(place, last)
            return _sign(leaf * (first[trained] - last[trained]))
        return 0 if _sign(leaf) < 0 < _sign(moved[place.param]) else _sign(leaf)

    return {place.path: sign(place) for place in wanted}


class _Rates:
    """The rates of all groups, as the rule for MultiOptimizer lets a step give them."""

    def __getitem__(self, group: Any) -> float:
        return 0.1


def _update(tx: Any) -> Any:
    whole = optax.with_extra_args_support(tx)
    return lambda grads, state, params: whole.update(grads, state, params, learning_rates=_Rates())


def _with_rate(state: Any) -> Any:
    """A rate in the state that is zero until a step sets it would show nothing."""
    rates = [rate for _, rate in optax.tree_utils.tree_get_all_with_path(state, "learning_rate")]
    if not rates or any(np.any(rate) for rate in rates):
        return state
    return optax.tree_utils.tree_set(state, learning_rate=jnp.asarray(0.1, rates[0].dtype))


def _sign(leaf: Any) -> int:
    return int(jnp.sign(jnp.sum(leaf)))


def _small(leaf: Any) -> Any:
    shape = [min(size, 2) for size in leaf.shape]
    return (1 + jnp.arange(math.prod(shape)).reshape(shape) / 4).astype(leaf.dtype)


def _trained(place: Place, known: Mapping[Path, Any]) -> Path:
    """Where the state has what this momentum is of."""
    (part,) = [part for part, name in WEIGHT_NORM.parts.items() if (name,) == place.prefix]
    ends = [(*place.path[:depth], "0", part, *place.param) for depth in range(len(place.path))]
    return next(end for end in ends if end in known)
