"""float64 for programs that do not know of it, and parameters disturbed by a rounding error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np

MAX_UNITS: Final = 2
CONFIG: Final[Any] = jax.config
FINFO: Final[Any] = jnp.finfo


@contextmanager
def float64() -> Iterator[None]:
    """Run a block in double precision; Linen's `init`, which hard-codes float32, is widened too."""
    before, init = CONFIG.jax_enable_x64, flax.linen.Module.init

    def widened(self: flax.linen.Module, *args: Any, **kwargs: Any) -> Any:
        return jax.tree_util.tree_map(_widen, init(self, *args, **kwargs))

    CONFIG.update("jax_enable_x64", True)
    flax.linen.Module.init = widened  # type: ignore[method-assign]
    try:
        yield
    finally:
        flax.linen.Module.init = init  # type: ignore[method-assign]
        CONFIG.update("jax_enable_x64", before)


@contextmanager
def disturbed_create(optimizer_def: Any, seed: int) -> Iterator[None]:
    """Let every `OptimizerDef.create` start from parameters one or two units in the last place off; 0 is not at all."""
    create = optimizer_def.create

    def wrapper(self: Any, target: Any, focus: Any = None) -> Any:
        return create(self, disturb(target, seed) if seed else target, focus)

    optimizer_def.create = wrapper
    try:
        yield
    finally:
        optimizer_def.create = create


def disturb(tree: Any, seed: int) -> Any:
    """Every floating-point leaf moved by one or two units in the last place, up or down; zeros stay."""
    leaves, treedef = jax.tree_util.tree_flatten(tree)
    random = np.random.default_rng(seed)
    return jax.tree_util.tree_unflatten(treedef, [_disturb_leaf(leaf, random) for leaf in leaves])


def _disturb_leaf(leaf: Any, random: np.random.Generator) -> Any:
    array = jnp.asarray(leaf)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return leaf
    units = random.integers(1, MAX_UNITS + 1, array.shape) * random.choice([-1, 1], array.shape)
    moved = array * (1 + jnp.asarray(units, array.dtype) * FINFO(array.dtype).eps)
    return moved.astype(array.dtype)


def _widen(leaf: Any) -> Any:
    return leaf.astype(jnp.float64) if getattr(leaf, "dtype", None) == jnp.float32 else leaf
