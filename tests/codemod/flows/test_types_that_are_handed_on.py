"""A type that one file has and a stopped file uses, or a name of flax.optim that one file takes from another."""

import pytest
from migration import migrated_project, text_of, told

TYPED = """\
from flax import optim

{types}


def train(params, grads):
  return optim.Adam(0.1).create(params).apply_gradient(grads).target
"""
USER = """\
import flax
import strangers
{take}


def step(grads):
  optimizer = strangers.current().optimizer.apply_gradient(grads)
  return isinstance(optimizer, {kind})
"""
WAYS = {
    "two at once": ("Opt, Def = optim.Optimizer, optim.OptimizerDef", "typed.Opt"),
    "an item": ("TYPES = {}\nTYPES['a'] = optim.Optimizer", "typed.TYPES['a']"),
    "a list that grows": ("TYPES = []\nTYPES.append(optim.Optimizer)", "tuple(typed.TYPES)"),
    "a field of a class": ("class K:\n  pass\n\n\nK.opt = optim.Optimizer", "typed.K.opt"),
    "a global of a function": (
        "def make():\n  global Opt\n  Opt = optim.Optimizer\n\n\nmake()", "typed.Opt",
    ),
    "a function that is found by its type": (
        "import functools\n\n\n@functools.singledispatch\ndef kind(x):\n  return 0\n\n\n"
        "@kind.register(optim.Optimizer)\ndef _(x):\n  return 1",
        "object) and typed.kind(optimizer",
    ),
    "a loop": ("for Opt in (optim.Optimizer,):\n  pass", "typed.Opt"),
    "an alias of a function": (
        "def is_one(x):\n  return isinstance(x, optim.Optimizer)\n\n\ncheck = is_one",
        "object) and typed.check(optimizer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("types, kind", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("through", [False, True])
def test_a_stopped_file_holds_back_the_type_that_it_uses(types, kind, through):
    modules = {
        "typed.py": TYPED.format(types=types),
        "user.py": USER.format(take="import typed", kind=kind),
    }
    if through and kind == "typed.Opt":
        modules["between.py"] = "from typed import Opt as O\n"
        modules["user.py"] = USER.format(take="from between import O", kind="O")
    outcome = migrated_project(modules, todo=False)
    assert not outcome.changes
    assert "FXO310" in {one.code for one in told(outcome)}


TAKEN = {
    "the module": ("from typed import optim", "optim.Optimizer"),
    "the class": ("from typed import Optimizer", "Optimizer"),
    "everything": ("from typed import *", "optim.Optimizer"),
    "through the file": ("import typed", "typed.optim.Optimizer"),
}


@pytest.mark.parametrize("take, kind", TAKEN.values(), ids=TAKEN)
def test_a_stopped_file_holds_back_the_import_that_it_takes(take, kind):
    modules = {
        "typed.py": TYPED.format(types="from flax.optim import Optimizer"),
        "user.py": USER.format(take=take, kind=kind),
    }
    assert not migrated_project(modules, todo=False).changes


def test_a_class_that_is_taken_from_another_file_is_named_there():
    modules = {
        "typed.py": TYPED.format(types="from flax.optim import Momentum"),
        "user.py": "import typed\n\ntx = typed.Momentum(0.1)\n",
    }
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert "tx = optax.sgd(0.1, momentum=0.9)" in text_of(outcome, "", "user.py")


def test_an_idle_import_from_another_file_stops_it():
    modules = {
        "typed.py": TYPED.format(types="RATE = 0.1"),
        "user.py": "from typed import optim, RATE\n\nprint(RATE)\n",
    }
    outcome = migrated_project(modules, todo=False)
    assert not outcome.changes
    assert "FXO101" in {one.code for one in told(outcome)}


def test_a_class_in_a_string():
    before = TYPED.format(
        types="from flax.optim import Optimizer\n\n\ndef f(x: 'Optimizer') -> 'list[Optimizer]':\n  return [x]"
    )
    outcome = migrated_project({"typed.py": before}, todo=False)
    after = text_of(outcome, before, "typed.py")
    assert told(outcome) == []
    assert "f(x: 'train_state.TrainState') -> 'list[train_state.TrainState]'" in after


CONFIG = """\
import dataclasses
from flax import optim


@dataclasses.dataclass
class Config:
  rate: float = 0.1

  def definition(self) -> optim.OptimizerDef:
    return optim.Adam(self.rate)


def train(config, params, grads):
  return Config().definition().create(params).apply_gradient(grads).target
"""


def test_a_stopped_file_does_not_hold_back_a_decorated_class_that_it_does_not_use():
    user = USER.format(take="import typed", kind="typed.dataclasses.Field")
    outcome = migrated_project({"typed.py": CONFIG, "user.py": user}, todo=False)
    assert "definition(self) -> optax.GradientTransformation" in text_of(
        outcome, CONFIG, "typed.py"
    )
