"""Constructors that get their arguments from a dict."""

import pytest
from state_programs import program, refused, trains_the_same

STEP = "return optimizer.apply_gradient(grads)"
MAKE = "return optim.Adam(**kwargs).create(params)"

UNSEEN = {
    "a parameter": (
        "def other(params, **kwargs):\n  return optim.Adam(**kwargs).create(params)\n\n\n"
        "def stepped(params):\n  return other(params, learning_rate=0.1).apply_gradient(params)"
    ),
    "a function's": "kwargs = dict(zip(['learning_rate'], [0.1]))",
    "a copy": "kwargs = dict(dict(learning_rate=0.1), beta1=0.8)",
    "computed keys": "kwargs = {name: 0.1 for name in ['learning_rate']}",
    "a key that goes": "kwargs = dict(learning_rate=0.1, beta1=0.8)\nkwargs.pop('beta1')",
    "a key that is deleted": "kwargs = dict(learning_rate=0.1, beta1=0.8)\ndel kwargs['beta1']",
    "a rate that may be missing": "kwargs = dict(beta1=0.8)\nif RATE:\n  kwargs['learning_rate'] = RATE",
    "a library changes it": "import json\nkwargs = json.loads('{\"learning_rate\": 0.1}')",
}


@pytest.mark.parametrize("head", UNSEEN.values(), ids=UNSEEN)
def test_arguments_that_cannot_be_seen(head, tmp_path):
    head = head if "other" not in head else f"kwargs = dict(learning_rate=0.1)\n\n{head}"
    after = trains_the_same(program(STEP, MAKE, head), tmp_path)
    assert "(**kwargs)" in after


def test_an_argument_that_flax_does_not_have():
    head = "kwargs = dict(learning_rate=0.1, amsgrad=True)"
    refused(program(STEP, MAKE, head), "FXO202")


SEEN = {
    "dict": "kwargs = dict(learning_rate=RATE, beta1=0.8)",
    "a display": "kwargs = {'learning_rate': RATE, 'beta1': 0.8}",
    "a key set later": "kwargs = dict(learning_rate=RATE)\nkwargs['beta1'] = 0.8",
    "a key set sometimes": "kwargs = dict(learning_rate=RATE)\nif RATE > 1.:\n  kwargs['weight_decay'] = 0.1",
    "a key set this time": "kwargs = dict(learning_rate=RATE)\nif RATE < 1.:\n  kwargs['weight_decay'] = 0.1",
    "an epsilon set sometimes": "kwargs = dict(learning_rate=RATE)\nif RATE < 1.:\n  kwargs['eps'] = 1e-3",
}


@pytest.mark.parametrize("head", SEEN.values(), ids=SEEN)
def test_a_dict_that_can_be_seen(head, tmp_path):
    after = trains_the_same(program(STEP, MAKE, head), tmp_path)
    assert "kwargs['learning_rate']" in after


def test_a_decay_that_is_set_sometimes_has_flax_s_default(tmp_path):
    after = trains_the_same(program(STEP, MAKE, SEEN["a key set sometimes"]), tmp_path)
    assert "weight_decay=kwargs.get('weight_decay', 0.0)" in after


def test_a_dict_in_the_call(tmp_path):
    make = "return optim.Adam(**dict(learning_rate=RATE), **{'beta1': 1. - RATE}).create(params)"
    after = trains_the_same(program(STEP, make), tmp_path)
    assert "optax.adam(RATE, b1=1. - RATE)" in after


def test_a_dict_of_the_function(tmp_path):
    make = "kwargs = dict(beta=0.8)\nreturn optim.Momentum(RATE, **kwargs).create(params)"
    after = trains_the_same(program(STEP, make), tmp_path)
    assert "optax.sgd(RATE, momentum=kwargs['beta'])" in after


def test_a_dict_whose_rate_is_dead(tmp_path):
    step = "return optimizer.apply_gradient(grads, learning_rate=lr)"
    after = trains_the_same(
        program(step, MAKE, "kwargs = dict(learning_rate=None, beta1=0.8)"), tmp_path
    )
    assert "optax.scale_by_adam(b1=kwargs['beta1'])" in after
