"""Measured mistakes of people and aliases: the comparison that passes every rule must see each of them."""

from types import ModuleType

import pytest
from training import compare

SMALLEST = 1e4
ADAM_DECAY = "optim.Adam(1e-3, weight_decay=0.1)"
GROUPS = "optim.MultiOptimizer((kernels, optim.Momentum(0.01)))"
MISTAKES = {
    "momentum's default forgotten": ("optim.Momentum(0.1)", "optax.sgd(0.1)"),
    "ema for trace": (
        "optim.Momentum(0.1)",
        "optax.chain(optax.ema(0.9), optax.scale_by_learning_rate(0.1))",
    ),
    "momentum's decay after the trace": (
        "optim.Momentum(0.1, weight_decay=1e-2)",
        "optax.chain(optax.trace(0.9), optax.add_decayed_weights(1e-2), optax.scale(-0.1))",
    ),
    "decay after the rate: weights grow": (
        ADAM_DECAY,
        "optax.chain(optax.adam(1e-3), optax.add_decayed_weights(0.1))",
    ),
    "decay before the moments": (
        ADAM_DECAY,
        "optax.chain(optax.add_decayed_weights(0.1), optax.adam(1e-3))",
    ),
    "decay dropped": (ADAM_DECAY, "optax.adam(1e-3)"),
    "adamw's own decay": ("optim.Adam(1e-3)", "optax.adamw(1e-3)"),
    "a tiny decay": ("optim.Adam(1e-3)", "optax.adamw(1e-3, weight_decay=1e-8)"),
    "eps_root for eps": ("optim.Adam(1e-3, eps=1e-5)", "optax.adam(1e-3, eps=0.0, eps_root=1e-5)"),
    "adabelief's eps_root left behind": (
        "optim.AdaBelief(1e-3, eps=1e-8)",
        "optax.adabelief(1e-3, eps=1e-8)",
    ),
    "adadelta's coupled decay": (
        "optim.Adadelta(0.1, weight_decay=0.01)",
        "optax.adadelta(0.1, weight_decay=0.01)",
    ),
    "adafactor's epsilon2 dropped": (
        "optim.Adafactor(1e-2, epsilon2=0.1)",
        "optax.adafactor(1e-2)",
    ),
    "adafactor's decay scaled by the rate": (
        "optim.Adafactor(1e-2, weight_decay_rate=1e-3)",
        "optax.adafactor(1e-2, weight_decay_rate=1e-5)",
    ),
    "adagrad's alias": ("optim.Adagrad(0.1)", "optax.adagrad(0.1)"),
    "adagrad's alias with squared eps": (
        "optim.Adagrad(0.1, eps=1e-4)",
        "optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-8)",
    ),
    "rmsprop's eps inside the root": ("optim.RMSProp(1e-2)", "optax.rmsprop(1e-2)"),
    "lamb's alias": ("optim.LAMB(1e-2)", "optax.lamb(1e-2)"),
    "lamb's eps": (
        "optim.LAMB(1e-2)",
        "optax.chain(optax.scale_by_adam(), lamb_trust_ratio(), optax.scale(-1e-2))",
    ),
    "lars' alias with decay": (
        "optim.LARS(0.1, weight_decay=1e-2)",
        "optax.lars(0.1, weight_decay=1e-2)",
    ),
    "lars' rate after the momentum": (
        "optim.LARS(0.1)",
        "optax.chain(optax.lars(1.0), optax.scale(0.11))",
    ),
    "weight norm dropped": (
        "optim.WeightNorm(optim.Momentum(0.1))",
        "optax.sgd(0.1, momentum=0.9)",
    ),
    "weight norm's eps": (
        "optim.WeightNorm(optim.Momentum(0.1))",
        "weight_norm(optax.sgd(0.1, momentum=0.9), wn_eps=1e-6)",
    ),
    "the guide's masks: the rest ascends": (
        GROUPS,
        "optax.masked(optax.sgd(0.01, momentum=0.9), lambda params: kernels.update("
        "lambda _: True, jax.tree_util.tree_map(lambda _: False, params)))",
    ),
    "the rest is trained": (GROUPS, "optax.sgd(0.01, momentum=0.9)"),
    "the wrong group": (GROUPS, "multi_optimizer((biases, optax.sgd(0.01, momentum=0.9)))"),
    "the sign": ("optim.GradientDescent(0.1)", "optax.sgd(-0.1)"),
    "no rate": ("optim.GradientDescent(0.1)", "optax.identity()"),
}


@pytest.mark.parametrize(("before", "after"), MISTAKES.values(), ids=MISTAKES)
def test_is_caught(optim: ModuleType, before: str, after: str) -> None:
    verdict = compare(optim, before, after)
    assert not verdict.equal
    assert verdict.ratio > SMALLEST


def test_state_that_differs_is_caught(optim: ModuleType) -> None:
    """The momentum of LARS is the trace with its sign turned."""
    verdict = compare(optim, "optim.LARS(0.1)", "optax.lars(0.1)", state={"momentum": "[3].trace"})
    assert not verdict.equal
    assert verdict.leaf.startswith("state/momentum")
