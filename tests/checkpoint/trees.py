"""Small trees of parameters and gradients, the same in old flax and in today's program."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def params(dtype: str = "float32", tree: str = "net") -> Any:
    random = np.random.default_rng(7)

    def leaf(*shape: int) -> Any:
        return jnp.asarray(random.normal(size=shape), dtype)

    if tree == "scalar":
        return {"log_alpha": jnp.zeros((), dtype)}
    return {
        "dense": {"kernel": leaf(4, 3), "bias": jnp.zeros(3, dtype)},
        "conv": {"kernel": leaf(2, 2, 3), "bias": leaf(3)},
        "other": {"embedding": leaf(4, 3)},
    }


def gradients(tree: Any, step: int) -> Any:
    def gradient(leaf: Any) -> Any:
        wave = jnp.arange(leaf.size, dtype=leaf.dtype).reshape(leaf.shape)
        return (jnp.sin(leaf + wave + step) + 0.1).astype(leaf.dtype)

    return jax.tree_util.tree_map(gradient, tree)


def disturbed(tree: Any, seed: int) -> Any:
    """Every element one or two units in the last place off; zeros stay, and seed 0 changes nothing."""
    random = np.random.default_rng(seed)

    def move(leaf: Any) -> Any:
        units = random.integers(1, 3, leaf.shape) * random.choice([-1, 1], leaf.shape)
        eps = float(jnp.finfo(leaf.dtype).eps)
        return (leaf * jnp.asarray(1 + units * eps, leaf.dtype)).astype(leaf.dtype)

    return jax.tree_util.tree_map(move, tree) if seed else tree


def flat(tree: Any) -> dict[str, Any]:
    """The leaves on the host, by path."""
    found, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in found}
