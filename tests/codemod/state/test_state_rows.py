"""Programs that store the leaves of an optimizer in a row: files in flax's order must not be read for others."""

import pytest
from state_programs import program, trains_the_same

ROWS = """
import numpy as np


def kept(optimizer):
  leaves, structure = jax.tree_util.tree_flatten(optimizer)
  arrays = [np.asarray(leaf) for leaf in leaves]
  return structure.unflatten(tuple(arrays))
"""
STEP = "return optimizer.apply_gradient(grads, learning_rate=lr)"
PLAIN = "return optimizer.apply_gradient(grads)"
MAKES = {
    "momentum": "optim.Momentum(0.1, 0.8)",
    "rmsprop": "optim.RMSProp(0.1)",
    "lars": "optim.LARS(0.1)",
}


def make(optimizer: str) -> str:
    return f"return kept({optimizer}.create(params))"


@pytest.mark.parametrize("optimizer", MAKES.values(), ids=MAKES)
def test_as_many_arrays_in_another_order_get_one_more(optimizer, tmp_path):
    after = trains_the_same(program(PLAIN, make(optimizer), ROWS), tmp_path)
    assert "counted())" in after


def test_a_rate_from_the_step(tmp_path):
    after = trains_the_same(program(STEP, make(MAKES["momentum"]), ROWS), tmp_path)
    assert "optax.chain(optax.trace(decay=0.8), counted())" in after


def test_arguments_that_are_computed(tmp_path):
    head = ROWS + "\n\ndef settings():\n  return {'beta': 0.5}\n"
    after = trains_the_same(program(STEP, make("optim.Momentum(**settings())"), head), tmp_path)
    assert "optax.chain(unscaled_momentum(**settings()), counted())" in after


@pytest.mark.parametrize("optimizer", ["optim.Adam(0.1)", "optim.GradientDescent(0.1)"])
def test_other_numbers_of_arrays_and_the_same_order_need_none(optimizer, tmp_path):
    assert "counted" not in trains_the_same(program(PLAIN, make(optimizer), ROWS), tmp_path)


def test_only_numbers_in_the_structure_build_no_optimizer(tmp_path):
    head = ROWS.replace("structure.unflatten(tuple(arrays))", "optimizer").replace(
        "  arrays =", "  names = structure.unflatten(range(len(leaves)))\n  arrays ="
    )
    assert "counted" not in trains_the_same(program(PLAIN, make(MAKES["lars"]), head), tmp_path)
