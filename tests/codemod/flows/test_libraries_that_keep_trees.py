"""Libraries whose functions and objects hand back the tree they are given."""

import pytest
from migration import migrated, text_of, told

CLU = """\
from clu import checkpoint
from flax import optim


def run(params, grads, folder):
  optimizer = optim.Adam(1e-3).create(params)
  saver = checkpoint.{kind}(folder, max_to_keep=2)
  optimizer, step = saver.{restore}((optimizer, 0))
  optimizer = optimizer.apply_gradient(grads)
  saver.save((optimizer, step + 1))
  return optimizer.target
"""


@pytest.mark.parametrize("kind", ["Checkpoint", "MultihostCheckpoint"])
@pytest.mark.parametrize("restore", ["restore", "restore_or_initialize"])
def test_what_clu_restores_is_what_it_was_given(kind, restore):
    before = CLU.format(kind=kind, restore=restore)
    outcome = migrated(before, todo=False)
    assert told(outcome) == []
    assert "params = optax.apply_updates(params, updates)" in text_of(outcome, before)
    assert "FXO701" in {one.code for one in outcome.diagnostics}


SELECTED = """\
from flax import optim
import jmp


def step(optimizer: optim.Optimizer, grads):
  new = optimizer.apply_gradient(grads)
  return jmp.select_tree(jmp.all_finite(grads), new, optimizer)


def run(params, grads):
  return step(optim.Adam(1e-3).create(params), grads).target
"""


def test_a_tree_that_is_chosen_array_by_array():
    outcome = migrated(SELECTED, todo=False)
    assert told(outcome) == []
    assert "apply_gradients(grads=grads)" in text_of(outcome, SELECTED)
