"""Every example of every rule trains the same as the real flax.optim, and its state is where the rule says."""

from types import ModuleType

import pytest
from migrated_call import bound, injected, unscaled
from training import compare, injecting_step, scaling_step

from flax2optax_rules import RULES, Example, OptimizerRule, choose

EXAMPLES = [(rule, example) for rule in RULES.values() for example in rule.examples]
each_example = pytest.mark.parametrize(
    ("rule", "example"), EXAMPLES, ids=[example.before for _, example in EXAMPLES]
)


@each_example
def test_trains_the_same(optim: ModuleType, rule: OptimizerRule, example: Example) -> None:
    state = {} if "MultiOptimizer" in rule.flax else choose(*bound(example.before)).state
    verdict = compare(optim, example.before, example.after, state)
    assert verdict.equal, verdict


@each_example
def test_trains_the_same_with_the_rate_of_each_step(
    optim: ModuleType, rule: OptimizerRule, example: Example
) -> None:
    scaled = unscaled(example.before)
    after, step = (injected(example.before), injecting_step)
    state = {}
    if scaled is not None:
        after, step = scaled, scaling_step
        if "MultiOptimizer" not in rule.flax:
            state = choose(*bound(example.before)).unscaled_state
    verdict = compare(optim, example.before, after, state, step)
    assert verdict.equal, (after, verdict)
