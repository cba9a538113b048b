"""A step of an optimizer that nobody makes is not written for flax's, where it may be one of the program's own class."""

import pytest
from migration import migrated_project, text_of

OWN = """\
import flax
import jax.numpy as jnp
import numpy as np


class Clipped(flax.optim.OptimizerDef):
  @flax.struct.dataclass
  class HyperParams:
    learning_rate: np.ndarray

  def __init__(self, learning_rate=None):
    super().__init__(Clipped.HyperParams(learning_rate))

  def init_param_state(self, param):
    return ()

  def apply_param_gradient(self, step, hyper_params, param, state, grad):
    return param - hyper_params.learning_rate * jnp.clip(grad, -1, 1), state
"""
TRAIN = """\
def make_update_fn(lr_fn):
  def update_fn(opt, step, grads):
    return opt.apply_gradient(grads, learning_rate=lr_fn(step))
  return update_fn
"""
MADE = "\n\ndef make(params):\n  return Clipped(0.1).create(params)\n"


@pytest.mark.parametrize("unsafe", [False, True])
def test_both_stay(unsafe):
    modules = {"own.py": OWN, "train.py": TRAIN}
    outcome = migrated_project(modules, todo=False, unsafe=unsafe)
    assert outcome.changes == ()
    assert {one.code for one in outcome.diagnostics} >= {"FXO204", "FXO310"}


@pytest.mark.parametrize("where", ["elsewhere/train.py", "train.py"])
def test_a_class_in_another_program_does_not_matter(where):
    train = f"from own import Clipped\n\n\n{TRAIN}" if where == "train.py" else TRAIN
    modules = {"package/own.py": OWN, where: train, "own.py": "Clipped = None\n"}
    outcome = migrated_project(modules, todo=False, unsafe=True)
    assert "apply_gradient(" not in text_of(outcome, train, where)


def test_a_class_whose_objects_are_seen_migrates_without_the_step():
    modules = {
        "own.py": OWN + MADE + TRAIN.replace("opt.", "make(opt).").replace("make_", "the_"),
        "train.py": TRAIN,
    }
    outcome = migrated_project(modules, todo=False, unsafe=True)
    assert text_of(outcome, modules["own.py"], "own.py") != modules["own.py"]
    assert text_of(outcome, TRAIN, "train.py") == TRAIN
