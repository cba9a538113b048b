"""Measured mistakes of people and aliases: the comparison that passes every rule must see each of them."""

from types import ModuleType

import pytest
from trained import model_for, trained

from flax2optax.verify.mutants.catalogue import LARS, MUTANTS
from flax2optax.verify.mutants.judge import CLEAR, Judge
from flax2optax.verify.verdict import LIMIT


@pytest.fixture(scope="module")
def judges() -> dict[str, Judge]:
    """By model: many mistakes share one run before."""
    return {}


@pytest.mark.parametrize("name", MUTANTS)
def test_is_caught(optim: ModuleType, judges: dict[str, Judge], name: str) -> None:
    mutant = MUTANTS[name]
    model = model_for(mutant.program.flax)
    judge = judges.setdefault(model.name, Judge(optim, model))
    verdict = judge.wrong(name, mutant).verdict
    assert not verdict.equal
    assert verdict.ratio > CLEAR * LIMIT


def test_state_that_differs_is_caught(optim: ModuleType) -> None:
    """The momentum of LARS is the trace with its sign turned."""
    verdict = trained(optim, LARS, state={"momentum": "[3].trace"})
    assert not verdict.equal
    assert verdict.leaf.startswith("rule/state/param_states/")
