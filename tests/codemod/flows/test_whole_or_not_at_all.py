"""A flow is migrated whole or not at all, across files too."""

import pytest
from migration import migrated, migrated_program, migrated_project, text_of, told

STATE = """\
import flax


@flax.struct.dataclass
class State:
  step: int
  optimizer: flax.optim.Optimizer
"""
TRAIN = """\
from flax import optim
from state import State


def create(params):
  return State(step=0, optimizer=optim.Adam(1e-3).create(params))


def step(state: State, grads):
  {line}
  return state.replace(optimizer=state.optimizer.apply_gradient(grads))


def main(params, grads):
  return step(create(params), grads)
"""


def texts(line: str) -> tuple[str, str]:
    modules = {"state.py": STATE, "train.py": TRAIN.format(line=line)}
    outcome = migrated_program(modules, todo=False)
    return text_of(outcome, STATE, "state.py"), text_of(outcome, modules["train.py"], "train.py")


def test_a_type_changes_with_the_flow_that_uses_it():
    state, train = texts("del grads")
    assert "optimizer: train_state.TrainState" in state
    assert "apply_gradients(grads=grads)" in train


def test_a_type_stays_where_the_flow_that_uses_it_is_stopped():
    state, train = texts("print(state.optimizer.state.param_states.pop('w'))")
    assert state == STATE
    assert "flax import optim" in train


def test_what_a_function_nobody_calls_returns_stays_one_object():
    before = (
        "from flax import optim\n\n\ndef create(params):\n"
        "  optimizer_def = optim.Adam(1e-3)\n  return optimizer_def.create(params)\n"
    )
    outcome = migrated(before)
    assert told(outcome) == []
    assert "TrainState.create(" in text_of(outcome, before)


COMMON = "from flax import optim\n\nRATE = 0.1\n"
USE = "{}\n\ntx = optim.Adam(RATE)\n"


@pytest.mark.parametrize("line", ["from common import *", "from common import optim, RATE"])
def test_an_import_that_only_others_use_goes_with_them(line):
    modules = {"common.py": COMMON, "train.py": USE.format(line)}
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert text_of(outcome, COMMON, "common.py") == "\nRATE = 0.1\n"
    assert "tx = optax.adam(RATE)" in text_of(outcome, "", "train.py")


def test_an_import_that_others_still_use_stays():
    use = USE.format("from common import *") + "print(optim)\n"
    outcome = migrated_project({"common.py": COMMON, "train.py": use}, todo=False)
    assert not outcome.changes
    assert {one.location.path for one in told(outcome)} == {"common.py", "train.py"}


def test_an_import_that_is_exported_by_name_stays():
    text = COMMON + "__all__ = ['optim']\n"
    outcome = migrated_project({"common.py": text}, todo=False)
    assert {one.code for one in told(outcome)} == {"FXO101"}
    assert not outcome.changes


CLASS = """\
import dataclasses
from flax import optim


@dataclasses.dataclass
class Record:
  opt: optim.Optimizer

  @classmethod
  def initial(cls, params):
    return cls(opt=optim.Adam(0.1).create(params))
"""
STEP = "def step(record, grads):\n  return {}(opt=record.opt.apply_gradient(grads))\n"
CALL = """\
from records import Record
from step import step


def main(params):
  record = step(Record.initial(params), params)
  return record.opt.target
"""


@pytest.mark.parametrize("made", ["type(record)", "record.__class__"])
def test_records_made_by_their_class_wherever_it_comes_from(made):
    modules = {"records.py": CLASS, "step.py": STEP.format(made), "main.py": CALL}
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert len(outcome.changes) == 3
    assert "record.opt.params" in text_of(outcome, "", "main.py")


A_USER = """\
from state import State


def reset(state: State):
  return state.replace(optimizer=state.optimizer.replace(target=None))
"""
A_CALLER = """\
from flax import optim
from state import State
import {user}


def main(params, grads):
  state = State(step=0, optimizer=optim.Adam(1e-3).create(params))
  return {user}.reset(state)
"""


@pytest.mark.parametrize("user", ["a_user", "z_user"])
def test_the_order_of_the_files_does_not_matter(user):
    modules = {"state.py": STATE, "main.py": A_CALLER.format(user=user), f"{user}.py": A_USER}
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert len(outcome.changes) == 3


FACTORY = """\
from flax import optim

RATE = 0.1


def definition() -> optim.OptimizerDef:
  return optim.Adam(RATE)


def train(params, grads):
  return definition().create(params).apply_gradient(grads).target
"""
STRANGER = """\
import flax
import strangers
import factory


def step(grads):
  return strangers.current().optimizer.apply_gradient(grads, learning_rate={rate})
"""


def with_stranger(rate: str) -> str:
    modules = {"factory.py": FACTORY, "stranger.py": STRANGER.format(rate=rate)}
    outcome = migrated_program(modules, todo=False)
    assert [one.code for one in told(outcome) if one.location.path == "stranger.py"] == ["FXO310"]
    return text_of(outcome, FACTORY, "factory.py")


def test_a_file_that_is_stopped_holds_back_the_types_it_uses():
    assert with_stranger("factory.definition().rate") == FACTORY


def test_a_file_that_is_stopped_does_not_hold_back_types_it_does_not_use():
    assert "definition() -> optax.GradientTransformation" in with_stranger("factory.RATE")


READ = """\
import jax
from flax import optim

from elsewhere import use


def gradients(optimizer, x):
  return jax.grad(lambda p: (p['w'] * x).sum())(optimizer.target)


def train(params, x):
  stepped = optim.Adam(1e-3).create(params)
  stepped = stepped.apply_gradient(jax.grad(lambda p: (p['w'] * x).sum())(stepped.target))
  optimizer = optim.GradientDescent(1e-2).create(params)
  WAY
  return stepped.target
"""


@pytest.mark.parametrize(
    ("way", "whole"),
    [
        ("print(gradients(optimizer, x))", True),
        ("print(jax.make_jaxpr(gradients)(optimizer, x))", True),
        ("print(jax.jit(gradients)(optimizer, x))", True),
        ("print((gradients if x else use)(optimizer, x))", False),
        ("print([gradients(one, x) for one in [optimizer]])", False),
    ],
)
def test_an_optimizer_that_is_only_read(way, whole):
    before = READ.replace("WAY", way)
    outcome = migrated(before, todo=False)
    assert (told(outcome) == []) is whole
    assert (text_of(outcome, before) != before) is whole


LEFT = {
    "train.py": (
        "from flax import optim\n\n\ndef train(params, grads):\n"
        "  optimizer = optim.Adam(1e-3).create(params)\n"
        "  return optimizer.apply_gradient(grads).target\n"
    ),
    "other.py": (
        "from flax import optim\n\n\ndef make(params):\n"
        "  return optim.Momentum(1e-1).create(params)\n\n\ndef kept(params):\n"
        "  return [make(params)]\n"
    ),
}


@pytest.mark.parametrize("form", ["auto", "state"])
def test_a_second_run_waits_for_what_the_first_one_waited_for(form):
    first = migrated_project(LEFT, todo=False, form=form)
    after = {name: text_of(first, text, name) for name, text in LEFT.items()}
    assert after["train.py"] != LEFT["train.py"]
    assert after["other.py"] == LEFT["other.py"]
    assert not migrated_project(after, todo=False, form=form).changes
