"""Steps that stand inside of an expression, and steps of an expression."""

import pytest
from migration import migrated, text_of
from state_programs import program, refused, trains_the_same

BOX = "BOX = []\n\n\ndef held(optimizer):\n  BOX.append(optimizer)\n  return BOX.pop()"
INSIDE = {
    "a comprehension": "return [o.apply_gradient(g, learning_rate=lr * 2) for o, g in [(optimizer, grads)]][0]",
    "a conditional expression": "return optimizer.apply_gradient(grads, learning_rate=lr) if optimizer else None",
    "a lambda": "return (lambda o: o.apply_gradient(grads, learning_rate=lr))(optimizer)",
    "a call of the optimizer's": "return held(optimizer).apply_gradient(grads, learning_rate=lr)",
}


def test_a_state_that_would_be_evaluated_twice():
    make = "return optim.LARS(RATE).create(params)"
    refused(program(INSIDE["a call of the optimizer's"], make, BOX), "FXO502")


@pytest.mark.parametrize("step", INSIDE.values(), ids=INSIDE)
def test_a_step_with_a_rate(step, tmp_path):
    after = trains_the_same(program(step, head=BOX), tmp_path)
    assert "apply_update(" in after


def test_a_step_of_the_constructors_rate_needs_none(tmp_path):
    after = trains_the_same(
        program("return [optimizer.apply_gradient(grads) for _ in range(1)][0]"), tmp_path
    )
    assert "apply_update" not in after


BARE = """\
import jax
import jax.numpy as jnp
from flax import optim

BOX = []


def held(optimizer):
  BOX.append(optimizer)
  return BOX.pop()


def probe():
  optimizer = optim.Momentum(0.1, 0.8).create((jnp.ones(3), jnp.zeros(2)))
  for i in range(5):
    grads = jax.tree_util.tree_map(lambda p: jnp.sin(p + i), optimizer.target)
    optimizer = held(optimizer).apply_gradient(grads)
    yield {'params': optimizer.target}
"""


def test_params_that_are_a_tuple_are_evaluated_once(tmp_path):
    assert "apply_update(held(optimizer), grads)" in trains_the_same(BARE, tmp_path)


ITEM = """
params = optimizer['target'] if isinstance(optimizer, dict) else optimizer.target
grads = jax.grad(loss_fn)(params, x)
return optimizer.apply_gradient(grads, learning_rate=lr)
"""


def test_an_item_that_only_a_dict_has(tmp_path):
    before = program(ITEM)
    after = trains_the_same(before, tmp_path)
    assert "optimizer['target'] if isinstance(optimizer, dict) else optimizer.params" in after
    assert "TrainState" in text_of(migrated(before), before)


def test_an_item_of_a_definition_which_optax_has():
    refused(
        program(
            make="definition = optim.Adam(0.1)\nprint(definition[0])\nreturn definition.create(params)"
        ),
        "FXO309",
    )


ASKED = """
params = optimizer.target if hasattr(optimizer, {name}) else optimizer['target']
grads = jax.grad(loss_fn)(params, x)
return optimizer.apply_gradient(grads, learning_rate=lr)
"""


@pytest.mark.parametrize(
    "old, new", [("target", "params"), ("state", "opt_state"), ("optimizer_def", "tx")]
)
def test_a_question_for_a_field_is_one_for_its_new_name(old, new, tmp_path):
    before = program(ASKED.format(name=repr(old)))
    assert f"if hasattr(optimizer, '{new}') else" in trains_the_same(before, tmp_path)


STRANGE = {
    "a method": "hasattr(optimizer, 'apply_gradient')",
    "a computed name": "hasattr(optimizer, 'tar' + str('get'))",
    "a field of something that may be a record": "hasattr(optimizer if RATE > 1. else Box(), 'target')",
    "of a definition": "hasattr(optimizer.optimizer_def, 'state')",
}


@pytest.mark.parametrize("asked", STRANGE.values(), ids=STRANGE)
def test_a_question_that_optax_answers_otherwise(asked):
    step = f"if {asked}:\n  lr = lr / 2.\nreturn optimizer.apply_gradient(grads, learning_rate=lr)"
    refused(program(step, head="class Box:\n  target = 3"), "FXO309")
