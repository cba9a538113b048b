"""Optimizers of the program's own."""

import pytest
from state_programs import program, refused, trains_the_same

STEP = "return optimizer.apply_gradient(grads)"
RATED = "return optimizer.apply_gradient(grads, learning_rate=lr)"
MAKE = "return Own(RATE).create(params)"
OWN = """
from flax import struct


@struct.dataclass
class Hyper:
  learning_rate: float
  beta: float


class Own(optim.OptimizerDef):
  \"\"\"Momentum.\"\"\"

  def __init__(self, learning_rate=None, beta=0.8):
    super().__init__(Hyper(learning_rate, beta))

  def init_param_state(self, param):
    return jnp.zeros_like(param)

  def apply_param_gradient(self, step, hyper_params, param, state, grad):
    state = hyper_params.beta * state + grad / (step + 1)
    return param - hyper_params.learning_rate * state, state
"""
METHOD = "\n  def {name}(self, *args):\n    return super().{name}(*args)\n"
REFUSED = {
    "a step of its own": OWN + METHOD.format(name="apply_gradient"),
    "a state of its own": OWN + METHOD.format(name="init_state"),
    "no rule for one parameter": OWN.replace("apply_param_gradient", "step_of"),
    "two base classes": OWN.replace("(optim.OptimizerDef)", "(optim.OptimizerDef, object)"),
    "a base class of flax's": OWN.replace("(optim.OptimizerDef)", "(optim.Momentum)"),
    "a name that is taken": OWN + "\n\nclass OptimizerDef:\n  pass\n",
}


@pytest.mark.parametrize("head", REFUSED.values(), ids=REFUSED)
def test_classes_of_another_shape(head):
    refused(program(STEP, MAKE, head), "FXO204")


def test_the_common_shape(tmp_path):
    after = trains_the_same(program(STEP, MAKE, OWN), tmp_path)
    assert "class Own(OptimizerDef):" in after
    assert "tx=Own(RATE)" in after


def test_a_rate_from_the_step(tmp_path):
    after = trains_the_same(program(RATED, "return Own().create(params)", OWN), tmp_path)
    assert "learning_rate=lr)\n" in after


def test_other_overrides(tmp_path):
    step = "return optimizer.apply_gradient(grads, learning_rate=lr, beta=1. - lr)"
    assert "beta=1. - lr)" in trains_the_same(program(step, MAKE, OWN), tmp_path)


def test_only_some_steps_override(tmp_path):
    step = "optimizer = optimizer.apply_gradient(grads)\n" + RATED
    assert "learning_rate=lr)\n" in trains_the_same(program(step, MAKE, OWN), tmp_path)


def test_a_group_of_a_multi_optimizer(tmp_path):
    make = "w = ModelParamTraversal(lambda path, _: 'w' in path)\nreturn optim.MultiOptimizer((w, Own(RATE))).create(params)"
    assert "multi_optimizer((w, Own(RATE)))" in trains_the_same(program(STEP, make, OWN), tmp_path)


def test_an_override_in_a_group():
    make = "w = ModelParamTraversal(lambda path, _: 'w' in path)\nreturn optim.MultiOptimizer((w, Own())).create(params)"
    refused(program(RATED, make, OWN), "FXO502")


def test_a_clip_in_front_stays(tmp_path):
    step = f"""
    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree_util.tree_leaves(grads)))
    grads = jax.tree_util.tree_map(lambda g: g * jnp.minimum(1., 0.1 / norm), grads)
    {RATED}
    """
    after = trains_the_same(program(step, MAKE, OWN), tmp_path)
    assert "clip_by_global_norm" not in after
