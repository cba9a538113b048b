"""An optimizer's state as a value of its own: kept, chosen between, and put back whole."""

import pytest
from migration import migrated, text_of, told
from state_programs import program, refused, trains_the_same

BACK = """
old_target, old_state = optimizer.target, optimizer.state
optimizer = optimizer.apply_gradient(grads{rate})
target, state = jax.tree_util.tree_map(
    lambda new, old: jnp.where(lr < 0.1, new, old), (optimizer.target, optimizer.state),
    (old_target, old_state))
return optimizer.replace(target=target, state=state)
"""
STEPPED = "return optimizer.apply_gradient(grads, learning_rate=lr)"
REFUSED = {
    "its moments are changed": ("state.param_states['w'] = 0", "FXO306"),
    "an item": ("print(state[0])", "FXO306"),
    "taken apart": ("step, moments = state", "FXO306"),
    "iterated": ("print([part for part in state])", "FXO306"),
    "spread": ("print(*state)", "FXO306"),
    "compared": ("print(state == optimizer.state)", "FXO306"),
    "asked for its class": ("print(isinstance(state, optim.OptimizerState))", "FXO309"),
    "with other fields": ("state = state.replace(step=3)", "FXO306"),
    "its step, which may be another's": (
        "import elsewhere\nprint((state if RATE else elsewhere.state()).step)",
        "FXO306",
    ),
    "saved alone": (
        "from flax import serialization\nprint(serialization.to_bytes(state))",
        "FXO306",
    ),
    "counted": ("print(len(state))", "FXO309"),
    "listed": ("print(list(state))", "FXO309"),
    "all of its leaves": (
        "print(all(x.sum() == 0 for x in jax.tree_util.tree_leaves(state)))",
        "FXO309",
    ),
    "its structure": ("print(jax.tree_util.tree_flatten(state)[0])", "FXO309"),
    "saved inside of something": (
        "from flax import serialization\nprint(serialization.to_bytes({'s': state}))",
        "FXO306",
    ),
    "read in another way": (
        "from flax import serialization\nprint(serialization.to_state_dict(state))",
        "FXO306",
    ),
    "into a library": ("import elsewhere\nelsewhere.keep(state)", "FXO309"),
    "into a call of the optimizer's": (
        "BOX = [optimizer]\noptimizer = optimizer.replace(state=BOX.pop().state)",
        "FXO306",
    ),
}


@pytest.mark.parametrize("line, code", REFUSED.values(), ids=REFUSED)
def test_what_only_the_old_state_can_do(line, code):
    refused(program(f"state = optimizer.state\n{line}\n{STEPPED}"), code)


def test_what_may_be_no_state():
    line = (
        "state = optimizer.state if RATE > 1. else None\noptimizer = optimizer.replace(state=state)"
    )
    refused(program(f"{line}\n{STEPPED}"), "FXO305")


@pytest.mark.parametrize("rate", ["", ", learning_rate=lr"])
def test_a_step_that_is_taken_back(rate, tmp_path):
    before = program(BACK.format(rate=rate))
    after = trains_the_same(before, tmp_path)
    assert "(optimizer.params, (optimizer.step, optimizer.opt_state))" in after
    assert "optimizer.replace(params=target, step=state[0], opt_state=state[1])" in after
    assert "TrainState" in text_of(migrated(before), before)


def test_its_step_by_a_name(tmp_path):
    step = f"state = optimizer.state\nlr = lr / (state.step + 1.)\n{STEPPED}"
    assert "lr / (state[0] + 1.)" in trains_the_same(program(step), tmp_path)


def test_a_function_of_the_program_that_gets_it(tmp_path):
    head = "def older(state):\n  kept = {'state': state}\n  return kept['state']\n"
    step = f"optimizer = optimizer.replace(state=older(optimizer.state))\n{STEPPED}"
    after = trains_the_same(program(step, head=head), tmp_path)
    assert (
        "**dict(zip(('step', 'opt_state'), older((optimizer.step, optimizer.opt_state))))" in after
    )


def test_a_state_on_the_host(tmp_path):
    step = f"optimizer = optimizer.replace(state=jax.lax.stop_gradient(optimizer.state))\n{STEPPED}"
    assert "jax.lax.stop_gradient((optimizer.step, optimizer.opt_state))" in trains_the_same(
        program(step), tmp_path
    )


def test_the_momentum_of_lars_has_the_sign_of_flax(tmp_path):
    step = f"state = jax.tree_util.tree_map(jnp.abs, optimizer.state)\noptimizer = optimizer.replace(state=state)\n{STEPPED}"
    after = trains_the_same(program(step, "return optim.LARS(RATE).create(params)"), tmp_path)
    assert "optax.scale(-1)" in after


def test_lars_by_another_name():
    step = f"state = optimizer.state\noptimizer = optimizer.replace(state=state)\n{STEPPED}"
    refused(
        program(
            step, "return NAMES['lars'](RATE).create(params)", head="NAMES = {'lars': optim.LARS}"
        ),
        "FXO306",
    )


PHASES = """\
import jax.numpy as jnp
from flax import optim


def probe():
  first = {first}.create({{'w': jnp.ones(3), 'v': jnp.ones(2)}})
  for i in range(3):
    first = first.apply_gradient({{k: x + 1. for k, x in first.target.items()}}{rate})
    yield {{'params': first.target}}
  second = {second}.create(first.target)
  second = second.replace(state=first.state)
  for i in range(3):
    second = second.apply_gradient({{k: x + 1. for k, x in second.target.items()}})
    yield {{'params': second.target}}
"""
OTHERS = [
    ("optim.Adam(0.1)", ", learning_rate=.1 / (i + 1)", "optim.Adam(1e-3)"),
    ("optim.Adam(0.1)", "", "optim.Adam(0.1, weight_decay=0.1)"),
    ("optim.Momentum(0.1)", "", "optim.LARS(0.1)"),
    ("optim.Adam(0.1)", "", "optim.LAMB(0.1)"),
]


@pytest.mark.parametrize("first, rate, second", OTHERS)
def test_the_state_of_an_optimizer_that_is_built_in_another_way(first, rate, second, tmp_path):
    before = PHASES.format(first=first, rate=rate, second=second)
    outcome = migrated(before, form="state")
    if told(outcome):
        refused(before, "FXO306")
    else:
        trains_the_same(before, tmp_path)


def test_the_state_of_an_optimizer_with_another_rate(tmp_path):
    before = PHASES.format(first="optim.Adam(0.1)", rate="", second="optim.Adam(0.02)")
    trains_the_same(before, tmp_path)
