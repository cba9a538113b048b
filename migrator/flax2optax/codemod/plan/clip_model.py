"""A small model of arrays and pytrees, in plain Python: what the operations of a hand-written clip compute.

Leaves are short vectors that stand for arrays of any shape, so an operation that depends on the shape is not modelled.
Whatever is missing here raises `NotUnderstood`; numbers follow IEEE 754, as they do in JAX.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce


class NotUnderstood(Exception):
    """The program does something that this model does not have."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array; `flat` where it is certainly one-dimensional."""

    items: tuple[float, ...]
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """A pytree, by its leaves."""

    leaves: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """What `tree_flatten` returns beside the leaves."""

    size: int


Op = Callable[..., object]


def elementwise(function: Callable[..., float]) -> Op:
    """Lift a function of numbers to numbers and arrays of one length."""

    def lifted(*values: object) -> object:
        sizes = {len(v.items) for v in values if isinstance(v, Array)}
        if not sizes:
            return function(*map(number, values))
        if len(sizes) > 1:
            raise NotUnderstood
        columns = (v.items if isinstance(v, Array) else (number(v),) * max(sizes) for v in values)
        flat = all(v.flat for v in values if isinstance(v, Array))
        return Array(tuple(function(*row) for row in zip(*columns, strict=True)), flat)

    return lifted


def number(value: object) -> float:
    """A scalar; anything else is not understood."""
    if isinstance(value, int | float):
        return value
    raise NotUnderstood


def divide(left: float, right: float) -> float:
    """`left / right` without exceptions."""
    if right:
        return left / right
    if left == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def minimum(left: float, right: float) -> float:
    """The smaller one; NaN where either is."""
    return math.nan if math.isnan(left) or math.isnan(right) else min(left, right)


def maximum(left: float, right: float) -> float:
    """The larger one; NaN where either is."""
    return math.nan if math.isnan(left) or math.isnan(right) else max(left, right)


def root(value: float) -> float:
    """The square root; NaN below zero."""
    return math.sqrt(value) if value >= 0 else math.nan


def power(base: float, exponent: float) -> float:
    """`base ** exponent`, for the exponents a norm needs."""
    if exponent == 2:
        return base * base
    if exponent == 0.5:
        return root(base)
    raise NotUnderstood


def magnitude(value: object) -> object:
    """The absolute values of an array; a scalar's could hide the sign of a threshold."""
    if not isinstance(value, Array):
        raise NotUnderstood
    return Array(tuple(map(abs, value.items)), value.flat)


def items(value: object) -> tuple[float, ...]:
    """The numbers of an array, or of a list of scalars."""
    if isinstance(value, Array):
        return value.items
    if isinstance(value, list | tuple):
        return tuple(map(number, value))
    raise NotUnderstood


def flat_items(value: object) -> tuple[float, ...]:
    """The numbers of what is certainly a vector."""
    if isinstance(value, Array) and not value.flat:
        raise NotUnderstood
    return items(value)


def total(value: object) -> float:
    """`jnp.sum`."""
    return float(sum(items(value)))


def inner(left: object, right: object) -> float:
    """`jnp.vdot`."""
    return float(sum(a * b for a, b in zip(items(left), items(right), strict=True)))


def dot(left: object, right: object) -> float:
    """`jnp.dot` of two vectors."""
    return inner(Array(flat_items(left)), Array(flat_items(right)))


def norm(value: object) -> float:
    """`jnp.linalg.norm` of everything in an array."""
    return root(inner(value, value))


def ravel(value: object) -> Array:
    """One dimension."""
    if not isinstance(value, Array):
        raise NotUnderstood
    return Array(value.items, True)


def reshape(value: object, *shape: object) -> Array:
    """`reshape(-1)`."""
    if shape not in ((-1,), ((-1,),)):
        raise NotUnderstood
    return ravel(value)


def vector(value: object) -> Array:
    """`jnp.stack`, `jnp.array` of a list of scalars."""
    if isinstance(value, Array):
        return value
    return Array(items(value), True)


def concatenate(parts: object) -> Array:
    """One vector of several."""
    if not isinstance(parts, list | tuple):
        raise NotUnderstood
    return Array(tuple(x for part in parts for x in flat_items(vector(part))), True)


def sequence(value: object) -> list[object]:
    """A list, tuple or iterator."""
    if isinstance(value, list | tuple):
        return list(value)
    raise NotUnderstood


def add_up(values: object, start: object = 0) -> object:
    """The builtin `sum`, of scalars."""
    return reduce(operator.add, map(number, sequence(values)), number(start))


def leaves(value: object) -> list[object]:
    """The leaves of a tree, or of a list of leaves."""
    return list(value.leaves) if isinstance(value, Tree) else sequence(value)


def tree_map(function: Op, tree: object, *rest: object) -> Tree:
    """`jax.tree_util.tree_map`."""
    if not all(isinstance(one, Tree) for one in (tree, *rest)):
        raise NotUnderstood
    columns = [leaves(one) for one in (tree, *rest)]
    if len({len(column) for column in columns}) > 1:
        raise NotUnderstood
    return Tree(tuple(function(*row) for row in zip(*columns, strict=True)))


def flatten(tree: object) -> tuple[object, ...]:
    """`tree_flatten`."""
    return leaves(tree), Structure(len(leaves(tree)))


def unflatten(structure: object, values: object) -> Tree:
    """`tree_unflatten`."""
    if not isinstance(structure, Structure) or len(sequence(values)) != structure.size:
        raise NotUnderstood
    return Tree(tuple(sequence(values)))


def ravel_pytree(tree: object) -> tuple[object, Op]:
    """The vector of all leaves, and the way back."""
    parts = [ravel(leaf) for leaf in leaves(tree)]

    def unravel(values: object) -> Tree:
        rest, result = list(items(values)), []
        for part in parts:
            result.append(Array(tuple(rest[: len(part.items)])))
            del rest[: len(part.items)]
        return Tree(tuple(result))

    return concatenate(parts), unravel


def fold(function: Op, values: object, *start: object) -> object:
    """`functools.reduce`, `tree_reduce`."""
    return reduce(function, leaves(values), *start)


def global_norm(tree: object) -> float:
    """The norm of all leaves together."""
    return root(sum(inner(leaf, leaf) for leaf in leaves(tree)))


def clip_by_norm(tree: object, limit: object) -> Tree:
    """`clip_grads` of JAX's example optimizers, and what `optax.clip_by_global_norm` does."""
    size, most = global_norm(tree), number(limit)
    factor = 1.0 if size < most else divide(most, size)
    return tree_map(lambda leaf: scaled(leaf, factor), tree)


def clip(value: object, low: object = None, high: object = None) -> object:
    """`jnp.clip`."""
    if low is not None:
        value = elementwise(maximum)(value, low)
    return value if high is None else elementwise(minimum)(value, high)


def scaled(leaf: object, factor: float) -> object:
    """A leaf times a number."""
    return elementwise(operator.mul)(leaf, factor)


def where(*values: object) -> object:
    """`jnp.where` with three arguments."""
    if len(values) != 3:
        raise NotUnderstood
    return elementwise(lambda test, yes, no: yes if test else no)(*values)


def cond(test: object, yes: Op, no: Op, *operands: object) -> object:
    """`jax.lax.cond`."""
    return (yes if number(test) else no)(*operands)


def mapped(function: Op, *values: object) -> list[object]:
    """The builtin `map`, all at once."""
    return [function(*row) for row in zip(*map(sequence, values), strict=False)]


def smallest(*values: object) -> float:
    """The builtin `min` of several numbers."""
    return min(map(number, values if len(values) > 1 else sequence(values[0])))


def largest(*values: object) -> float:
    """The builtin `max` of several numbers."""
    return max(map(number, values if len(values) > 1 else sequence(values[0])))


def each(functions: Iterable[tuple[str, Callable[..., float]]]) -> dict[str, Op]:
    """Several functions of numbers, lifted."""
    return {name: elementwise(function) for name, function in functions}
