"""`-> flax.optim.Adam`: the type of what is there, an optimizer or a definition."""

import pytest
from migration import migrated, text_of, told

PROGRAM = """\
from typing import Tuple
import flax


def make(params) -> MADE:
  return 1, flax.optim.Adam(1e-3).create(params)


def definition() -> flax.optim.Adam:
  return flax.optim.Adam(1e-3)


def step(optimizer: flax.optim.Adam, grads) -> flax.optim.Adam:
  new: flax.optim.Adam = optimizer.apply_gradient(grads)
  return new


def train(params, grads):
  _, optimizer = make(params)
  other = definition().create(params)
  return step(other, grads), step(optimizer, grads).target
"""


@pytest.mark.parametrize(
    "made", ["Tuple[int, flax.optim.Adam]", "Tuple[int, flax.optim.Optimizer]"]
)
def test_what_is_an_optimizer_is_a_train_state(made):
    before = PROGRAM.replace("MADE", made)
    outcome = migrated(before, todo=False)
    after = text_of(outcome, before)
    assert told(outcome) == []
    assert "def make(params) -> Tuple[int, train_state.TrainState]:" in after
    assert "def definition() -> optax.GradientTransformation:" in after
    assert "def step(optimizer: train_state.TrainState, grads) -> train_state.TrainState:" in after
    assert "new: train_state.TrainState = " in after


def test_what_may_be_either_is_a_transformation():
    before = PROGRAM.replace("MADE", "tuple").replace(
        "  return flax.optim.Adam(1e-3)\n", "  a = flax.optim.Adam(1e-3)\n  return a\n"
    )
    before += (
        "\n\ndef both(x: flax.optim.Adam):\n  return x\n\n\nboth(definition())\nboth(make({})[1])\n"
    )
    after = text_of(migrated(before, todo=False), before)
    assert "TrainState" not in after.split("def both(")[-1].split(")")[0]
