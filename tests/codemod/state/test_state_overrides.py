"""What steps override: rates, some or all of the time, and other hyperparameters."""

import pytest
from state_programs import MAKE, STEP, program, refused, trains_the_same

OTHER = """
def regularize(optimizer, x):
  grads = jax.grad(loss_fn)(optimizer.target, x)
  return optimizer.apply_gradient(grads)
"""
BOTH = "optimizer = regularize(optimizer, x)\n" + STEP

HIDDEN = {
    "an expression": "return optim.Momentum(RATE * 2, 0.8).create(params)",
    "a local name": "rate = RATE\nreturn optim.Momentum(rate, 0.8).create(params)",
    "a computed default": "return optim.Momentum(**dict(beta=0.8, learning_rate=RATE)).create(params)",
    "one of two": "if len(params) > 2:\n  return optim.Momentum(0.1).create(params)\nreturn optim.Momentum(0.2).create(params)",
}


@pytest.mark.parametrize("make", HIDDEN.values(), ids=HIDDEN)
def test_a_rate_that_a_step_cannot_see(make):
    refused(program(BOTH, make, OTHER), "FXO502")


def test_a_rate_that_is_bound_twice():
    refused(program(BOTH, head="RATE = 0.2\n" + OTHER), "FXO502")


def test_a_rate_that_a_function_sets():
    refused(program(BOTH, head="def faster():\n  global RATE\n  RATE = 0.2\n" + OTHER), "FXO502")


def test_a_rate_that_the_step_shadows():
    refused(program("RATE = 3.\noptimizer = optimizer.apply_gradient(grads)\n" + STEP), "FXO502")


def test_an_attribute_that_is_set():
    head = "class Config:\n  lr = 0.1\n\nconfig = Config()\nconfig.lr = 0.2\n" + OTHER
    refused(program(BOTH, "return optim.Momentum(config.lr).create(params)", head), "FXO502")


def test_a_flag_of_momentum():
    refused(program("return optimizer.apply_gradient(grads, nesterov=True)"), "FXO503")


def test_an_epsilon():
    make = "return optim.Adam(RATE).create(params)"
    refused(program("return optimizer.apply_gradient(grads, eps=1e-3)", make), "FXO503")


def test_hyperparameters_of_another_optimizer():
    head = "OTHER = optim.Adam(0.1)"
    step = "return optimizer.apply_gradient(grads, hyper_params=OTHER.hyper_params.replace(learning_rate=lr))"
    refused(program(step, head=head), "FXO502")


def test_hyperparameters_from_a_variable():
    step = """
    new = optimizer.optimizer_def.hyper_params.replace(learning_rate=lr)
    return optimizer.apply_gradient(grads, hyper_params=new)
    """
    refused(program(step), "FXO502")


SEEN = {
    "a name of the module": MAKE,
    "a number": "return optim.Momentum(0.1, 0.8).create(params)",
    "a keyword": "return optim.Momentum(beta=0.8, learning_rate=0.1).create(params)",
    "an attribute": "return optim.Momentum(config.lr).create(params)",
}
CONFIG = "class Config:\n  lr = 0.1\n\nconfig = Config()\n"


@pytest.mark.parametrize("make", SEEN.values(), ids=SEEN)
def test_only_some_steps_give_a_rate(make, tmp_path):
    after = trains_the_same(program(BOTH, make, CONFIG + OTHER), tmp_path)
    assert "tx=optax.trace(" in after
    assert after.count("lambda u: -") == 2


def test_a_rate_that_is_not_last_and_only_some_steps_give(tmp_path):
    make = "return optim.LARS(0.1, weight_decay=1e-2, trust_coefficient=0.1).create(params)"
    after = trains_the_same(program(BOTH, make, OTHER), tmp_path)
    assert "hyperparams={'learning_rate': 0.1})" in after
    assert "hyperparams={'learning_rate': lr})" in after


OVERRIDES = {
    "beta": ("beta=1. - lr", MAKE),
    "weight decay": ("weight_decay=lr / 10", "return optim.Adam(RATE).create(params)"),
    "a decay and a rate": (
        "learning_rate=lr, weight_decay=lr / 10",
        "return optim.Adam().create(params)",
    ),
    "both betas": ("beta1=1. - lr, beta2=1. - lr / 5", "return optim.Adam(RATE).create(params)"),
    "the decay of AdaBelief": (
        "weight_decay=lr / 10",
        "return optim.AdaBelief(RATE).create(params)",
    ),
    "beta2 of RMSProp": ("beta2=1. - lr", "return optim.RMSProp(RATE).create(params)"),
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_other_hyperparameters(name, tmp_path):
    given, make = OVERRIDES[name]
    after = trains_the_same(
        program(f"return optimizer.apply_gradient(grads, {given})", make), tmp_path
    )
    assert "optax.inject_hyperparams(" in after


def test_only_some_steps_give_a_decay(tmp_path):
    make = "return optim.Adam(0.1, weight_decay=0.02).create(params)"
    step = "optimizer = regularize(optimizer, x)\nreturn optimizer.apply_gradient(grads, weight_decay=lr)"
    after = trains_the_same(program(step, make, OTHER), tmp_path)
    assert "hyperparams={'weight_decay': 0.02})" in after


REPLACED = {
    "in place": """
        return optimizer.apply_gradient(
            grads, hyper_params=optimizer.optimizer_def.hyper_params.replace(learning_rate=lr))
        """,
    "through a name": """
        hyper_params = optimizer.optimizer_def.hyper_params
        return optimizer.apply_gradient(grads, hyper_params=hyper_params.replace(learning_rate=lr))
        """,
}


@pytest.mark.parametrize("step", REPLACED.values(), ids=REPLACED)
def test_replaced_hyperparameters(step, tmp_path):
    after = trains_the_same(program(step), tmp_path)
    assert "hyper_params" not in after
    assert "lambda u: -lr * u" in after
