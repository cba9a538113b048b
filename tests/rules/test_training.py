"""Every example of every rule trains the same as the real flax.optim, and its state is where the rule says."""

from types import ModuleType

import pytest
from migrated_call import bound, injected, unscaled, with_rate
from trained import trained

from flax2optax.verify.mutants.catalogue import INJECTED, SCALED, Program
from flax2optax_rules import RULES, Agreement, Example, OptimizerRule, choose

EXAMPLES = [(rule, example) for rule in RULES.values() for example in rule.examples]
SPELLED = "optim.Adafactor(1e-2, epsilon2=0.1"
MORE = [f"{SPELLED}, beta1=0.9)", f"{SPELLED}, weight_decay_rate=1e-3)"]
each_example = pytest.mark.parametrize(
    ("rule", "example"), EXAMPLES, ids=[example.before for _, example in EXAMPLES]
)


@each_example
def test_trains_the_same(optim: ModuleType, rule: OptimizerRule, example: Example) -> None:
    state = {} if "MultiOptimizer" in rule.flax else choose(*bound(example.before)).state
    verdict = trained(optim, Program(example.before, example.after), state)
    assert verdict.equal, verdict
    if rule.agreement is Agreement.EXACT:
        assert verdict.ratio == 0


@pytest.mark.parametrize("before", MORE)
def test_variants_that_no_example_shows_train_the_same(optim: ModuleType, before: str) -> None:
    verdict = trained(optim, Program(before, with_rate(before)), choose(*bound(before)).state)
    assert verdict.equal, verdict


def test_every_variant_is_trained() -> None:
    sources = [*MORE, *(example.before for _, example in EXAMPLES)]
    trained = {choose(*bound(source)).write for source in sources}
    known = {variant.write for rule in RULES.values() for variant in rule.variants}
    assert known - trained == {""}


@each_example
def test_trains_the_same_with_the_rate_of_each_step(
    optim: ModuleType, rule: OptimizerRule, example: Example
) -> None:
    after, form, state = unscaled(example.before), SCALED, {}
    if after is None:
        after, form = injected(example.before), INJECTED
    elif "MultiOptimizer" not in rule.flax:
        state = choose(*bound(example.before)).unscaled_state
    verdict = trained(optim, Program(example.before, after, rate="noam", form=form), state)
    assert verdict.equal, (after, verdict)
