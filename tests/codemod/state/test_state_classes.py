"""Classes of flax.optim that are kept in variables and called through them."""

import pytest
from state_programs import program, refused, trains_the_same

STEP = "return optimizer.apply_gradient(grads)"
RATED = "return optimizer.apply_gradient(grads, learning_rate=lr)"
MAKE = "return cls(learning_rate=RATE).create(params)"

REFUSED = {
    "it is asked for": ("cls = optim.Adam\nADAM = isinstance(cls(RATE), optim.Adam)", MAKE),
    "its name is read": ("cls = optim.Adam\nprint(cls.__name__)", MAKE),
    "it is compared": ("cls = optim.Adam\nADAM = cls is optim.Adam", MAKE),
    "it goes into a library": ("import registry\ncls = registry.register(optim.Adam)", MAKE),
    "two that take other arguments": (
        "cls = optim.Adam if RATE > 1. else optim.Momentum",
        "return cls(RATE, beta1=0.9).create(params)",
    ),
    "computed arguments": ("cls = optim.Adam\nargs = (RATE,)", "return cls(*args).create(params)"),
    "a class of the program": (
        "class Own(optim.Adam):\n  pass\n\ncls = Own if RATE > 1. else optim.Adam",
        MAKE,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_class_whose_calls_are_not_known(name):
    head, make = REFUSED[name]
    outcomes = {"a class of the program": "FXO204"}
    refused(program(STEP, make, head), outcomes.get(name, "FXO202"))


def test_no_rate():
    refused(program(STEP, "return cls().create(params)", "cls = optim.Adam"), "FXO203")


def test_a_rate_of_none():
    refused(program(STEP, "return cls(None).create(params)", "cls = optim.Adam"), "FXO202")


def test_a_rate_that_is_not_last():
    make = "return cls(learning_rate=RATE, weight_decay=0.1).create(params)"
    refused(program(RATED, make, "cls = optim.LARS if RATE > 1. else optim.LAMB"), "FXO502")


def test_a_looked_up_class():
    refused(program(STEP, MAKE, "cls = getattr(optim, 'Adam'.title())"), "FXO901")


KEPT = {
    "a variable": ("cls = optim.Adam", MAKE, "cls = optax.adam\n"),
    "by position": ("cls = optim.Adam", "return cls(RATE).create(params)", "cls = optax.adam\n"),
    "flax's default": (
        "cls = optim.Momentum",
        MAKE,
        "cls = lambda learning_rate: optax.sgd(learning_rate, momentum=0.9)\n",
    ),
    "other names": (
        "cls = optim.Adam",
        "return cls(learning_rate=RATE, beta1=0.8).create(params)",
        "cls = lambda learning_rate, beta1: optax.adam(learning_rate, b1=beta1)\n",
    ),
    "two positions": (
        "cls = optim.Adam",
        "return cls(RATE, 0.8).create(params)",
        "cls = lambda learning_rate, beta1: optax.adam(learning_rate, b1=beta1)\n",
    ),
    "a dict": (
        "all = {'adam': optim.Adam, 'sgd': optim.GradientDescent}\ncls = all['sgd']",
        MAKE,
        "all = {'adam': optax.adam, 'sgd': optax.sgd}\n",
    ),
    "a condition": (
        "cls = optim.Adam if RATE > 1. else optim.Momentum",
        MAKE,
        "cls = optax.adam if RATE > 1. else (lambda learning_rate: optax.sgd(learning_rate, momentum=0.9))\n",
    ),
    "an if": (
        "if RATE > 1.:\n  cls = optim.Adam\nelse:\n  cls = optim.Adagrad",
        MAKE,
        "  cls = lambda learning_rate: optax.chain(scale_by_adagrad(), optax.scale_by_learning_rate(learning_rate))\n",
    ),
    "a parameter": (
        "def build(cls, params):\n  return cls(RATE, weight_decay=0.1).create(params)",
        "return build(optim.Adam, params)",
        "  return build(optax.adamw, params)\n",
    ),
    "a variable that may be either": (
        "def build(cls, params):\n  return cls(RATE).create(params)\n\ncls = optim.Adam if RATE > 1. else optim.Adagrad",
        "return build(cls, params)",
        "  return build(cls, params)\n",
    ),
    "an annotation": (
        "def start(definition: optim.Adam, params) -> optim.Optimizer:\n  return definition.create(params)\n\ncls = optim.Adam",
        "return start(cls(RATE), params)",
        "def start(definition: optax.GradientTransformation, params) -> train_state.TrainState:\n",
    ),
    "a default": (
        "def build(params, cls=optim.Adam):\n  return cls(RATE).create(params)",
        "return build(params)",
        "def build(params, cls=optax.adam):\n",
    ),
    "a decay that some calls leave out": (
        "cls = optim.Adam\nunused = cls(RATE, weight_decay=0.1)",
        MAKE,
        "cls = lambda learning_rate, weight_decay=0.0: optax.adamw(learning_rate, weight_decay=weight_decay)\n",
    ),
    "called in two ways": (
        "cls = optim.Adam\nunused = cls(RATE, beta1=0.8)",
        "return cls(RATE).create(params)",
        "cls = lambda learning_rate, beta1=0.9: optax.adam(learning_rate, b1=beta1)\n",
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_callable_takes_its_place(name, tmp_path):
    head, make, line = KEPT[name]
    after = trains_the_same(program(STEP, make, head), tmp_path)
    assert "".join(line.split()) in "".join(after.split())  # the line may be broken


def test_a_rate_that_every_step_gives(tmp_path):
    after = trains_the_same(program(RATED, MAKE, "cls = optim.Adam"), tmp_path)
    assert "cls = lambda learning_rate: optax.scale_by_adam()\n" in after


def test_no_rate_where_every_step_gives_one(tmp_path):
    after = trains_the_same(
        program(RATED, "return cls().create(params)", "cls = optim.Momentum"), tmp_path
    )
    assert "cls = lambda : optax.trace(decay=0.9)" not in after
