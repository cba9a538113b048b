"""float64 for programs that do not know of it, and parameters disturbed by a rounding error."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np

UNITS: Final = np.array([-2.0, -1.0, 1.0, 2.0])
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


def disturb(tree: Any, seed: int | Sequence[int]) -> Any:
    """Every floating-point leaf moved by one or two units in the last place, up or down; zeros stay."""
    leaves, treedef = jax.tree_util.tree_flatten(tree)
    random = np.random.default_rng(seed)
    return jax.tree_util.tree_unflatten(treedef, [_disturb_leaf(leaf, random) for leaf in leaves])


def _disturb_leaf(leaf: Any, random: np.random.Generator) -> Any:
    """An array on the host stays there, in the type that JAX gives it; a tracer is moved by JAX."""
    on_host = isinstance(leaf, np.ndarray)
    array = leaf.astype(jax.dtypes.canonicalize_dtype(leaf.dtype)) if on_host else jnp.asarray(leaf)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return leaf
    moves = (1 + UNITS * float(FINFO(array.dtype).eps)).astype(array.dtype)
    return array * moves.take(random.integers(0, len(UNITS), array.shape, np.uint8))


def _widen(leaf: Any) -> Any:
    return leaf.astype(jnp.float64) if getattr(leaf, "dtype", None) == jnp.float32 else leaf
