"""A rule quotes the manual; the manual must be right about the real class."""

import inspect
from types import ModuleType

import jax.numpy as jnp
import pytest

from flax2optax_rules import RULES, OptimizerRule
from flax2optax_rules.signature import signature

NOT_CONSTRUCTORS = {"Optimizer", "OptimizerDef", "OptimizerState", "ModelParamTraversal"}


def test_every_optimizer_has_a_rule(optim: ModuleType) -> None:
    assert set(RULES) == set(optim.__all__) - NOT_CONSTRUCTORS


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_signature_is_the_real_one(optim: ModuleType, rule: OptimizerRule) -> None:
    quoted = signature(rule.flax)
    (_, *real) = inspect.signature(getattr(optim, quoted.name).__init__).parameters.values()
    rest = [one.name for one in real if one.kind is inspect.Parameter.VAR_POSITIONAL]
    named = {one.name: one.default for one in real if one.name not in rest}
    assert list(named) == list(quoted.defaults)
    assert rest == [quoted.rest] * len(rest)
    for name, text in quoted.defaults.items():
        expected = inspect.Parameter.empty if text is None else eval(text, {"jnp": jnp})
        assert (name, named[name]) == (name, expected)


@pytest.mark.parametrize("quoted", ["Adam(0.1)", "flax.optim.Adam"])
def test_what_is_no_signature_is_refused(quoted: str) -> None:
    with pytest.raises(ValueError, match="not the signature of a class"):
        signature(quoted)
