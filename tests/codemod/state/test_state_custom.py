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
WHOLE = """
  def apply_gradient(self, hyper_params, params, state, grads):
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree_util.tree_leaves(grads)))
    state = state.replace(param_states=jax.tree_util.tree_map(
        lambda s, g: hyper_params.beta * s + g / norm, state.param_states, grads))
    params = jax.tree_util.tree_map(
        lambda p, s: p - hyper_params.learning_rate * s, params, state.param_states)
    return params, optim.OptimizerState(state.step + 1, state.param_states)

  def init_state(self, params) -> optim.OptimizerState:
    zeros = jax.tree_util.tree_map(self.init_param_state, params)
    return optim.OptimizerState(jnp.asarray(0, jnp.int32), zeros)
"""
REFUSED = {
    "an interface of its own": OWN + METHOD.format(name="update_hyper_params"),
    "a name of its state that is taken": OWN + "\n\nclass OptimizerState:\n  pass\n",
    "no rule for one parameter": OWN.replace("apply_param_gradient", "step_of"),
    "no first state": OWN.replace("init_param_state", "first_of"),
    "two base classes": OWN.replace("(optim.OptimizerDef)", "(optim.OptimizerDef, object)"),
    "a rule that is no def": OWN.replace(
        "  def init_param_state", "  apply_gradient = staticmethod(print)\n\n  def init_param_state"
    ),
    "a count of its own": OWN
    + WHOLE.replace("OptimizerState(state.step + 1,", "OptimizerState(state.step + 2,"),
    "a start of its own": OWN
    + WHOLE.replace("jnp.asarray(0, jnp.int32)", "jnp.asarray(5, jnp.int32)"),
    "a rule from outside": OWN + "\n\nOwn.apply_gradient = print\n",
    "an interface that is no def": OWN + "\n  update_hyper_params = None\n",
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


START = WHOLE[WHOLE.index("  def init_state") :]
INSIDE = {
    "a group": "return optim.MultiOptimizer((w, Own(RATE))).create(params)",
    "a focus": "return Own(RATE).create(params, focus=w)",
}


@pytest.mark.parametrize("make", INSIDE.values(), ids=INSIDE)
def test_a_start_of_its_own_that_flax_does_not_call(make):
    make = "w = ModelParamTraversal(lambda path, _: 'w' in path)\n" + make
    refused(program(STEP, make, OWN + "\n" + START), "FXO204")


@pytest.mark.parametrize("kind", ["optim.OptimizerDef", "Own"])
def test_a_question_for_its_class(kind):
    make = f"definition = Own(RATE)\nassert isinstance(definition, {kind})\nreturn definition.create(params)"
    refused(program(STEP, make, OWN), "FXO309")


def test_an_override_in_a_group(tmp_path):
    make = "w = ModelParamTraversal(lambda path, _: 'w' in path)\nreturn optim.MultiOptimizer((w, Own())).create(params)"
    after = trains_the_same(program(RATED, make, OWN), tmp_path)
    assert "(w, optax.GradientTransformationExtraArgs(*Own()))" in after


BESIDE = """
if RATE > 1.:
  definition = Own()
elif RATE > {limit}:
  definition = optim.Momentum(beta=0.8)
else:
  w = ModelParamTraversal(lambda path, _: 'w' in path)
  definition = optim.MultiOptimizer((w, optim.Adam(weight_decay=0.1)))
return definition.create(params)
"""


@pytest.mark.parametrize("limit", [0.01, 0.5])
def test_beside_optimizers_of_flax(limit, tmp_path):
    after = trains_the_same(program(RATED, BESIDE.format(limit=limit), OWN), tmp_path)
    assert "scale_by_given_rate()" in after


GROUPS = """
w = ModelParamTraversal(lambda path, _: path.endswith('w'))
v = ModelParamTraversal(lambda path, _: path.endswith('v'))
definition = optim.MultiOptimizer((w, first), (v, second))
if RATE > 1.:
  definition = first
return definition.create(params)
"""
EITHER = """
h, k = optimizer.optimizer_def.hyper_params
if RATE < 1.:
  return optimizer.apply_gradient(
      grads, hyper_params=[h.replace(learning_rate=lr), k.replace(learning_rate=lr / 3)])
return optimizer.apply_gradient(grads, learning_rate=lr)
"""
PAIRS = {
    "its own and Adam": ("Own()", "optim.Adam(0.1)"),
    "Momentum and its own": ("optim.Momentum(0.1, 0.8)", "Own(0.1)"),
    "its own twice": ("Own(0.1)", "first"),
    "LARS and its own": ("optim.LARS(0.1, weight_decay=1e-2)", "Own(0.1)"),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_a_rate_for_each_group_of_its_own_and_of_flax(pair, tmp_path):
    make = "first = {}\nsecond = {}".format(*pair) + GROUPS
    after = trains_the_same(program(EITHER, make, OWN), tmp_path)
    assert "learning_rates=[lr, lr / 3]" in after
    assert "(w, with_group_rate(0, first)), (v, with_group_rate(1, second))" in after


def test_a_rate_for_each_group_and_more_overrides():
    step = EITHER.replace("learning_rate=lr)\n", "learning_rate=lr, beta=0.1)\n")
    make = "first = Own()\nsecond = Own()" + GROUPS
    refused(program(step, make, OWN), "FXO502")


def test_a_rate_for_each_group_where_the_groups_cannot_be_told_apart():
    make = "first = Own()\nsecond = Own()" + GROUPS.replace("optim.MultiOptimizer(", "(").replace(
        "if RATE", "definition = optim.MultiOptimizer(*definition)\nif RATE"
    )
    refused(program(EITHER, make, OWN), "FXO502")


def test_a_rate_for_each_group_and_steps_without_one():
    make = "first = Own()\nsecond = optim.Adam(0.1)" + GROUPS
    step = EITHER.replace("grads, learning_rate=lr)", "grads)")
    refused(program(step, make, OWN), "FXO502")


def test_beside_optimizers_of_flax_where_only_some_steps_give_a_rate():
    step = "optimizer = optimizer.apply_gradient(grads)\n" + RATED
    refused(program(step, BESIDE.format(limit=0.5), OWN), "FXO502")


def test_beside_optimizers_of_flax_where_steps_give_more_than_a_rate():
    step = "return optimizer.apply_gradient(grads, learning_rate=lr, beta=1. - lr)"
    refused(program(step, BESIDE.format(limit=0.5), OWN), "FXO502")


@pytest.mark.parametrize("step", [STEP, RATED])
def test_a_step_and_a_state_of_its_own(step, tmp_path):
    after = trains_the_same(program(step, MAKE, OWN + WHOLE), tmp_path)
    assert "return params, OptimizerState(state.step + 1" in after
    assert "def init_state(self, params) -> OptimizerState:" in after


@pytest.mark.parametrize("name", ["apply_gradient", "init_state"])
def test_methods_that_call_those_of_the_base(name, tmp_path):
    trains_the_same(program(STEP, MAKE, OWN + METHOD.format(name=name)), tmp_path)


def test_a_state_made_elsewhere_is_not_the_programs_own():
    step = "state = optim.OptimizerState(0, optimizer.state)\n" + STEP
    refused(program(step, MAKE, OWN), "FXO205")


def test_a_clip_in_front_stays(tmp_path):
    step = f"""
    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree_util.tree_leaves(grads)))
    grads = jax.tree_util.tree_map(lambda g: g * jnp.minimum(1., 0.1 / norm), grads)
    {RATED}
    """
    after = trains_the_same(program(step, MAKE, OWN), tmp_path)
    assert "clip_by_global_norm" not in after
