"""A field or parameter that nobody is seen to give: its annotation means the class, and every class that inherits from it."""

from migration import migrated_project, text_of, told

CONFIG = """\
import flax
from flax import optim


@flax.struct.dataclass
class Config:
  rate: float = 0.01

  def definition(self):
    raise NotImplementedError


@flax.struct.dataclass
class Fast(Config):
  beta: float = 0.9

  def definition(self):
    return optim.Momentum(beta=self.beta)
"""
TASK = """\
import gin
import config


@gin.configurable
class Task:
  settings: config.Config = gin.REQUIRED

  def start(self, params):
    return self.settings.definition().create(params)

  def step(self, optimizer, grads):
    return optimizer.apply_gradient(grads, learning_rate=self.settings.rate)

  def run(self, params, grads):
    return self.step(self.start(params), grads).target
"""
MODULES = {"config.py": CONFIG, "task.py": TASK}


def test_a_method_that_only_a_class_of_that_class_has_in_full():
    outcome = migrated_project(MODULES, todo=False)
    assert told(outcome) == []
    assert "optax.trace(decay=self.beta)" in text_of(outcome, CONFIG, "config.py")
    assert "optimizer.tx.update(" in text_of(outcome, TASK, "task.py")


def test_what_two_classes_make_is_one_flow():
    other = CONFIG + "\n\nclass Slow(Config):\n  def definition(self):\n    return optim.LARS()\n"
    outcome = migrated_project({**MODULES, "config.py": other}, todo=False)
    assert told(outcome) == []
    assert text_of(outcome, other, "config.py").count("inject_hyperparams") == 2


BASE = """\
class Model:
  def restore(self, state, other):
    return state


class Classifier(Model):
  pass
"""
OWN = """\
import flax
from base import Classifier


class Residual(Classifier):
  def restore(self, state, other):
    return state.replace(optimizer=state.optimizer.replace(target=other.optimizer.target))
"""
STATE = """\
import flax
from flax import optim


@flax.struct.dataclass
class State:
  optimizer: optim.Optimizer


def train(model, params, grads):
  state = State(optimizer=optim.Adam(0.1).create(params))
  state = model.restore(state, state)
  return state.replace(optimizer=state.optimizer.apply_gradient(grads))
"""
MAIN = """\
import base
import state


def main(model: base.Model, params, grads):
  return state.train(model, params, grads)
"""


def test_a_method_that_replaces_one_that_gets_an_optimizer():
    modules = {"base.py": BASE, "own.py": OWN, "state.py": STATE, "main.py": MAIN}
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert "replace(params=other.optimizer.params)" in text_of(outcome, OWN, "own.py")
