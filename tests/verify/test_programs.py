"""Two source trees, each run as if it were alone, and compared."""

import sys
from pathlib import Path

import jax
import pytest

from flax2optax.verify import ProgramError, Verdict, compare_programs

MODEL = """
import flax.linen as nn
import jax
import jax.numpy as jnp

class Model(nn.Module):
  @nn.compact
  def __call__(self, x):
    return nn.Dense(2)(nn.relu(nn.Dense(4)(x)))

BATCH = jax.random.normal(jax.random.PRNGKey(1), (8, 3))

def loss(params):
  return jnp.mean((Model().apply({'params': params}, BATCH) - BATCH[:, :2]) ** 2)

def init():
  return Model().init(jax.random.PRNGKey(0), BATCH)['params']
"""
BEFORE = """
import jax
from flax import optim
from model import init, loss

@jax.jit
def train_step(optimizer):
  return optimizer.apply_gradient(jax.grad(loss)(optimizer.target))

def probe():
  optimizer = optim.Adam(1e-2, weight_decay=0.1).create(init())
  for _ in range(4):
    optimizer = train_step(optimizer)
    yield {'params': optimizer.target, 'step': optimizer.state.step}
"""
AFTER = """
import jax
import optax
from model import init, loss

tx = optax.adamw(1e-2, weight_decay=0.1)

@jax.jit
def train_step(params, opt_state):
  updates, opt_state = tx.update(jax.grad(loss)(params), opt_state, params)
  return optax.apply_updates(params, updates), opt_state

def probe():
  params = init()
  opt_state = tx.init(params)
  for _ in range(4):
    params, opt_state = train_step(params, opt_state)
    yield {'params': params, 'step': opt_state[0].count}
"""


def compared(folder: Path, before: str, after: str) -> Verdict:
    for side, program in (("before", before), ("after", after)):
        (folder / side).mkdir()
        (folder / side / "model.py").write_text(MODEL)
        (folder / side / "train.py").write_text(program)
    return compare_programs(folder / "before", folder / "after")


def test_a_mistake_is_caught(tmp_path: Path) -> None:
    verdict = compared(tmp_path, BEFORE, AFTER.replace(", weight_decay=0.1", ""))
    assert not verdict.equal
    assert verdict.step == 1
    assert verdict.leaf.startswith("params/Dense_")


def test_a_step_too_few_is_caught(tmp_path: Path) -> None:
    verdict = compared(tmp_path, BEFORE, AFTER.replace("range(4)", "range(3)"))
    assert verdict.detail == "4 steps before, 3 after"


def test_a_program_that_still_needs_flax_optim_fails(tmp_path: Path) -> None:
    with pytest.raises(
        ProgramError, match=r"the program after fails: (ImportError|ModuleNotFound)"
    ):
        compared(tmp_path, BEFORE, BEFORE)


def test_a_program_that_fails_before_is_named(tmp_path: Path) -> None:
    broken = BEFORE.replace("range(4)", "missing")
    with pytest.raises(ProgramError, match="the program before fails: NameError"):
        compared(tmp_path, broken, AFTER)


def test_a_right_migration_is_equal_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path, modules, x64 = list(sys.path), set(sys.modules), jax.config.jax_enable_x64
    verdict = compared(tmp_path, BEFORE, AFTER)
    assert verdict.equal, verdict
    assert sys.path == path
    assert not {"train", "model", "flax.optim"} & (set(sys.modules) - modules)
    assert jax.config.jax_enable_x64 == x64
    assert not list(tmp_path.rglob("__pycache__"))
