"""Optimizers that are only made to restore into have the structure of what the training program saves."""

import importlib
import sys
from pathlib import Path

import pytest
from migration import migrated_project, text_of, told

TRAIN = """\
import jax
import jax.numpy as jnp
from flax import optim
from flax import serialization

def init_params():
  return {'w': jnp.ones(3)}

def clipped(grads):
  norm = jnp.sqrt(sum([jnp.sum(g ** 2) for g in jax.tree_util.tree_leaves(grads)]))
  return jax.tree_util.tree_map(lambda g: g * jnp.minimum(1., 1. / norm), grads)

@jax.jit
def train_step(optimizer, rate):
  grads = jax.grad(lambda p: jnp.sum(p['w'] ** 2))(optimizer.target)
  STEP

def main():
  optimizer = optim.Adam(1e-3).create(init_params())
  for step in range(3):
    optimizer = train_step(optimizer, 0.1 / (step + 1))
  return serialization.to_bytes(optimizer)
"""
PREDICT = """\
from flax import optim
from flax import serialization

from training import init_params


def main(data):
  optimizer = optim.Adam(1e-3).create(init_params())
  optimizer = serialization.from_bytes(optimizer, data)
  return optimizer.target
"""
STEPS = {
    "a rate of each step": "return optimizer.apply_gradient(grads, learning_rate=rate)",
    "a rate that is not the last thing": (
        "return optimizer.apply_gradient(grads, learning_rate=rate, weight_decay=rate)"
    ),
    "a clip": "return optimizer.apply_gradient(clipped(grads))",
    "nothing": "return optimizer.apply_gradient(grads)",
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_template_restores_what_the_training_saves(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {"training.py": TRAIN.replace("STEP", step), "predict.py": PREDICT}
    outcome = migrated_project(before)
    assert told(outcome) == []
    for name, text in before.items():
        (tmp_path / name).write_text(text_of(outcome, text, name))
    monkeypatch.syspath_prepend(tmp_path)
    try:
        saved = importlib.import_module("training").main()
        params = importlib.import_module("predict").main(saved)
    finally:
        for name in ("training", "predict"):
            sys.modules.pop(name, None)
    assert (params["w"] < 1).all()


def test_two_that_train_and_differ_are_told() -> None:
    before = {
        "training.py": TRAIN.replace("STEP", STEPS["a rate of each step"]),
        "tuning.py": TRAIN.replace("STEP", STEPS["nothing"]).replace(
            "for step", "optimizer = serialization.from_bytes(optimizer, b'')\n  for step"
        ),
    }
    outcome = migrated_project(before)
    assert told(outcome) == []
    notes = [one for one in outcome.diagnostics if "another structure" in one.message]
    assert [(one.code, one.location.path) for one in notes] == [("FXO701", "tuning.py")]
    assert "made in training.py" in notes[0].message


def test_one_alone_is_not_compared() -> None:
    outcome = migrated_project({"predict.py": PREDICT, "training.py": "def init_params(): ..."})
    assert not any("another structure" in one.message for one in outcome.diagnostics)
