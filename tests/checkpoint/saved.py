"""Old checkpoints made by hand, with today's flax: quick, for everything but the proof that flax wrote them so."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import serialization
from trees import params


def adam(dtype: str = "float32", step: int = 3) -> dict[str, Any]:
    """The state dict of an Adam optimizer."""
    target = params(dtype)
    moments = jax.tree_util.tree_map(lambda x: {"grad_ema": x + 1, "grad_sq_ema": x * x}, target)
    return {"target": target, "state": {"step": jnp.int32(step), "param_states": moments}}


def momentum() -> dict[str, Any]:
    """The state dict of a Momentum optimizer, or of LARS."""
    target = params()
    moments = jax.tree_util.tree_map(lambda x: {"momentum": x + 1}, target)
    return {"target": target, "state": {"step": jnp.int32(5), "param_states": moments}}


def data(tree: Any) -> bytes:
    """As flax writes it."""

    def hold(leaf: Any) -> Any:
        return np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf

    held = jax.tree_util.tree_map(hold, tree)
    return bytes(serialization.msgpack_serialize(held))
