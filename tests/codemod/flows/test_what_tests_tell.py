"""Tests for a class, a word or None tell what a name holds below them."""

from textwrap import indent

import pytest
from migration import check_refused, migrated, text_of, told

PROGRAM = """\
import functools

import flax
import jax
import jax.numpy as jnp
import unknown
from flax import optim
from flax.training import train_state


def step(optimizer, grads):
  return optimizer.apply_gradient(grads)


HELPER


def train(params, grads):
  optimizer = optim.Adam(1e-3).create(params)
  for x in (optimizer, {'a': 1}, 3):
    use(x, mode='a')
  return step(optimizer, grads).target
"""
KEPT = {
    "a class that it is not": """\
        if isinstance(x, dict):
          unknown.run(x)
        """,
    "one of the classes that it is not": """\
        if isinstance(x, (dict, flax.core.FrozenDict)):
          unknown.run(x)
        """,
    "a class that it is, left before": """\
        if isinstance(x, optim.Optimizer):
          return
        unknown.run(x)
        """,
    "a class that it is, asserted away": """\
        assert not isinstance(x, optim.Optimizer)
        unknown.run(x)
        """,
    "in one expression": """\
        return isinstance(x, dict) and unknown.run(x)
        """,
    "in a conditional expression": """\
        return 0 if isinstance(x, (optim.Optimizer, list)) else unknown.run(x)
        """,
    "in a comprehension": """\
        return [unknown.run(y) for y in (x, x) if isinstance(y, list)]
        """,
    "one of a pair, and the other one afterwards": """\
        if isinstance(x, (optim.Optimizer, train_state.TrainState)):
          print(x)
        """,
}  # fmt: skip
LOST = {
    "another name": """\
        y = x
        if isinstance(x, dict):
          unknown.run(y)
        """,
    "after it": """\
        if isinstance(x, dict):
          print(x)
        unknown.run(x)
        """,
    "the other way": """\
        if not isinstance(x, dict):
          unknown.run(x)
        """,
    "either": """\
        if isinstance(x, dict) or mode:
          unknown.run(x)
        """,
    "a class that everything is of": """\
        if isinstance(x, object):
          unknown.run(x)
        """,
    "a class that may be any": """\
        if isinstance(x, unknown.kinds()):
          unknown.run(x)
        """,
    "bound anew": """\
        if isinstance(x, dict):
          x = y = optim.Adam(1e-2).create(x)
          unknown.run(x)
        """,
    "what it becomes": """\
        if isinstance(x, train_state.TrainState):
          print(x)
        """,
    "one of two classes, one at a time": """\
        for kind in (optim.Optimizer, train_state.TrainState):
          if isinstance(x, kind):
            print(x)
        """,
    "what is kept where a test fails": """\
        if mode == 'b':
          unknown.run(x)
        """,
}  # fmt: skip


def program(body: str) -> str:
    lines = "\n".join(line[8:] for line in body.splitlines())
    return PROGRAM.replace("HELPER", "def use(x, mode=None):\n" + indent(lines, "  "))


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
def test_what_cannot_be_an_optimizer_is_none(body):
    before = program(body)
    outcome = migrated(before, todo=False)
    assert told(outcome) == []
    after = text_of(outcome, before)
    assert "optimizer.apply_gradients(grads=grads)" in after
    assert told(migrated(after, todo=False)) == []


@pytest.mark.parametrize("body", LOST.values(), ids=LOST)
def test_what_may_be_one_stops(body):
    check_refused(program(body), "FXO309")


CHOSEN = """\
from flax import optim


def made(params, kind='whole', given=None):
  optimizer = optim.Adam(1e-3).create(params)
  if kind == 'params':
    return optimizer.target
  if given is None:
    return optimizer
  return [given, optimizer.target]


def train(params, grads):
  optimizer = made(params)
  optimizer = optimizer.apply_gradient(grads)
  return optimizer.target
"""


def test_code_that_is_never_reached_is_rewritten_too():
    outcome = migrated(CHOSEN, todo=False)
    assert told(outcome) == []
    assert ".target" not in text_of(outcome, CHOSEN)


KEYWORDS = """\
from flax import optim


def made(params, **more):
  TAKEN
  if kind == 'one':
    return optim.Adam(1e-3).create(params)
  return [optim.Adam(1e-3).create(params)]


def train(params, grads):
  optimizer = made(params)
  optimizer = optimizer.apply_gradient(grads)
  (second,) = made(params, kind='many')
  second = second.apply_gradient(grads)
  return optimizer.target, second.target
"""
TAKEN = {
    "kind = more.pop('kind', 'one')": True,
    "kind = more.pop('kind', 'one'); print(more)": True,
    "more.pop('kind', 0); kind = more.pop('kind', 'one')": False,
    "drop(more); kind = more.pop('kind', 'one')": False,
    "[kind] = [more.pop('kind', 'one') for _ in range(1)]": False,
}


@pytest.mark.parametrize(("taken", "known"), TAKEN.items())
def test_a_keyword_that_is_taken_out_of_the_others(taken, known):
    before = KEYWORDS.replace("TAKEN", taken)
    if "drop" in taken:
        before += "\n\ndef drop(more):\n  more.pop('kind', 0)\n"
    outcome = migrated(before, todo=False)
    assert (told(outcome) == []) is known
    assert (text_of(outcome, before) == before) is not known


GOT = """\
import contextlib

import unknown
from flax import optim


def get(optimizer, kind='a', none=None):
  BODY


def train(params, grads):
  optimizer = get(optim.Adam(1e-3).create(params))
  return optimizer.apply_gradient(grads).target
"""
GETS = {
    "another name in a loop": """\
  for _ in range(3):
    if kind == 'b':
      return optimizer
    kind = 'b'
""",
    "a closure that binds it": """\
  word = 'a'
  def flip():
    nonlocal word
    word = 'b'
  flip()
  if word == 'b':
    return optimizer
""",
    "a context that swallows": """\
  with contextlib.suppress(KeyError):
    if kind == 'a':
      return {}['x']
  return optimizer
""",
    "a handler": """\
  try:
    if kind == 'a':
      return {}['x']
  except KeyError:
    pass
  return optimizer
""",
}


@pytest.mark.parametrize("body", GETS.values(), ids=GETS)
def test_a_branch_that_is_reached_is_not_cut_off(body):
    before = GOT.replace("  BODY\n", body)
    outcome = migrated(before, todo=False, form="state")
    assert told(outcome) == []
    assert "get(train_state.TrainState.create(" in text_of(outcome, before)
    assert ".params" in text_of(outcome, before)


@pytest.mark.parametrize("test", ["kind == 'b'", "none is not None"])
def test_a_function_that_a_library_calls_may_be_given_anything(test):
    body = f"  print(unknown.run(get))\n  if {test}:\n    return optimizer\n"
    check_refused(GOT.replace("  BODY\n", body), "FXO309")
