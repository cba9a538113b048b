"""Three programs to plant mistakes in: an MLP, a conv net with BatchNorm and Dropout, an MLP on two devices."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import flax.linen as nn
import jax
import jax.numpy as jnp

DEVICES: Final = 2
Tree = Any


@dataclass(frozen=True, slots=True)
class Model:
    """`gradients` gives the gradients and what else a step carries on (batch statistics)."""

    name: str
    start: Callable[[], tuple[Tree, Tree]]
    gradients: Callable[[Tree, Tree, Tree, Any], tuple[Tree, Tree]]
    batch: Callable[[int], Tree]
    devices: int = 1


class Mlp(nn.Module):
    """Two dense layers."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """One number."""
        x = nn.tanh(nn.Dense(8, param_dtype=x.dtype)(x))
        return nn.Dense(2, param_dtype=x.dtype)(x)


class Conv(nn.Module):
    """A convolution whose bias a BatchNorm cancels, dropout, a dense head."""

    @nn.compact
    def __call__(self, x: Any, train: bool = True) -> Any:
        """Two numbers."""
        x = nn.Conv(4, (3, 3), param_dtype=x.dtype)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, param_dtype=x.dtype)(x))
        x = nn.Dropout(0.25, deterministic=not train)(x)
        x = x.reshape((x.shape[0], -1))
        return nn.Dense(2, param_dtype=x.dtype)(x)


def mlp(devices: int = 1) -> Model:
    """On one device, or the same on several with averaged gradients."""
    model = Mlp()

    @cache
    def start() -> tuple[Tree, Tree]:
        return jax.jit(model.init)(jax.random.PRNGKey(0), _inputs(0, (8, 3)))["params"], {}

    def gradients(params: Tree, carried: Tree, batch: Tree, key: Any) -> tuple[Tree, Tree]:
        def loss(params: Tree) -> Any:
            return _loss(model.apply({"params": params}, batch), batch)

        return jax.grad(loss)(params), carried

    def batch(step: int) -> Tree:
        shape = (devices, 8, 3) if devices > 1 else (8, 3)
        return _inputs(step, shape)

    return Model(
        f"MLP on {devices} devices" if devices > 1 else "MLP", start, gradients, batch, devices
    )


def conv() -> Model:
    """With the carried statistics of BatchNorm and a dropout that changes from step to step."""
    model = Conv()

    @cache
    def start() -> tuple[Tree, Tree]:
        variables = jax.jit(model.init, static_argnames="train")(
            jax.random.PRNGKey(0), _inputs(0, (4, 5, 5, 2)), train=False
        )
        return variables["params"], variables["batch_stats"]

    def gradients(params: Tree, stats: Tree, batch: Tree, key: Any) -> tuple[Tree, Tree]:
        def loss(params: Tree) -> Any:
            out, changed = model.apply(
                {"params": params, "batch_stats": stats},
                batch,
                rngs={"dropout": key},
                mutable=["batch_stats"],
            )
            return _loss(out, batch), changed["batch_stats"]

        grads, stats = jax.grad(loss, has_aux=True)(params)
        return grads, stats

    return Model(
        "conv with BatchNorm and Dropout", start, gradients, lambda n: _inputs(n, (4, 5, 5, 2))
    )


def all_models() -> tuple[Model, ...]:
    """The last one needs two devices."""
    return mlp(), conv(), mlp(DEVICES)


def _inputs(step: int, shape: tuple[int, ...]) -> Any:
    return jax.random.normal(jax.random.PRNGKey(step + 1), shape)


def _loss(out: Any, batch: Any) -> Any:
    wanted = jnp.sin(batch.reshape((batch.shape[0], -1))[:, :2] * 2)
    return jnp.mean((out - wanted) ** 2)
