"""Names of flax.optim in annotations, aliases and strings."""

from migration import check

BEFORE = """\
from typing import Tuple

import jax.numpy as jnp
from flax import optim
from flax.optim import dynamic_scale as scaling
from flax.training import train_state
import optax

Opt = optim.Optimizer
Pair = Tuple[optim.Optimizer, ...]


def step(optimizer: Opt, grads, scale: scaling.DynamicScale) -> Pair:
  print(f'{optimizer.state.step} {optimizer.target["w"]}')
  assert isinstance(optimizer, optim.Optimizer)
  return optimizer.apply_gradient(grads), optimizer


def start(definition: 'optim.OptimizerDef', params) -> 'Tuple[optim.Optimizer, int]':
  return definition.create(params), 0


optimizer, _ = start(optim.Adam(1e-3), {'w': jnp.ones(3)})
step(optimizer, {'w': jnp.ones(3)}, None)
"""
AFTER = """\
from typing import Tuple

import jax.numpy as jnp
from flax.training import dynamic_scale as scaling
from flax.training import train_state
import optax

Opt = train_state.TrainState
Pair = Tuple[train_state.TrainState, ...]


def step(optimizer: Opt, grads, scale: scaling.DynamicScale) -> Pair:
  print(f'{optimizer.step} {optimizer.params["w"]}')
  assert isinstance(optimizer, train_state.TrainState)
  return optimizer.apply_gradients(grads=grads), optimizer


def start(definition: 'optax.GradientTransformation', params) -> 'Tuple[train_state.TrainState, int]':
  return train_state.TrainState.create(
      apply_fn=None, params=params, tx=definition).replace(step=jnp.int32(0)), 0


optimizer, _ = start(optax.adam(1e-3), {'w': jnp.ones(3)})
step(optimizer, {'w': jnp.ones(3)}, None)
"""


def test_types_aliases_and_strings() -> None:
    check(BEFORE, AFTER, form="state")
