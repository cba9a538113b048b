"""Steps are seen wherever they are made: eagerly, in jit, scan, while_loop, cond, vmap and pmap."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flax2optax.verify import fetch
from flax2optax.verify.child.task import Task
from flax2optax.verify.evidence import compare_recordings
from flax2optax.verify.measured import compile_times
from flax2optax.verify.outcome import Outcome, check
from flax2optax.verify.pairing import chains_of, folded, pair
from flax2optax.verify.recording import Recording
from flax2optax.verify.runs import Command, after_task, run
from flax2optax.verify.verdict import LIMIT

COMMON = """
import jax
import jax.numpy as jnp
from flax import jax_utils

def loss(params):
  return jnp.sum((params['w'] - jnp.arange(params['w'].size)) ** 2)

def params(size, seed=0):
  return {'w': jax.random.normal(jax.random.PRNGKey(seed), (size,))}

def step(state):
  value, grads = jax.value_and_grad(loss)(target(state))
  return apply(state, grads)

def main():
  state = step(step(make(params(1))))
  state = make(params(2))
  for _ in range(3):
    state = jax.jit(step)(state)
  jax.lax.scan(lambda c, _: (step(c), 0), make(params(3)), None, length=4)
  jax.lax.while_loop(lambda c: c[1] < 2, lambda c: (step(c[0]), c[1] + 1), (make(params(4)), 0))
  jax.jit(lambda s: jax.lax.cond(jnp.sum(target(s)['w']) < 1e9, step, lambda s: s, s))(make(params(5)))
  several = jax.vmap(lambda k: make({'w': jax.random.normal(k, (6,))}))(
      jax.random.split(jax.random.PRNGKey(7), 3))
  for _ in range(2):
    several = jax.jit(jax.vmap(step))(several)
  both = jax_utils.replicate(make(params(7)))
  for _ in range(3):
    both = jax.pmap(step, axis_name='batch', donate_argnums=0)(both)

if __name__ == '__main__':
  main()
"""
BEFORE = """
from flax import optim
definition = optim.Adam(0.1)
make = definition.create
target = lambda state: state.target
apply = lambda state, grads: state.apply_gradient(grads)
"""
AFTER = """
import jax
import jax.numpy as jnp
import optax
from flax.training.train_state import TrainState
tx = optax.scale_by_adam()
def make(params):
  return TrainState.create(apply_fn=None, params=params, tx=tx).replace(step=jnp.int32(0))
target = lambda state: state.params
def apply(state, grads):
  updates, opt_state = state.tx.update(grads, state.opt_state, state.params)
  updates = jax.tree_util.tree_map(lambda u: -0.1 * u, updates)
  return state.replace(
      step=state.step + 1, params=optax.apply_updates(state.params, updates), opt_state=opt_state)
"""
STEPS = {1: 2, 2: 3, 3: 4, 4: 2, 5: 1, 6: 6, 7: 6}
FAST = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
COMMAND = Command(["python", "train.py"], platform="cpu", devices=2, environment=FAST)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Outcome]:
    folder = tmp_path_factory.mktemp("watch")
    for side, program in (("before", BEFORE), ("after", AFTER)):
        (folder / side).mkdir()
        (folder / side / "train.py").write_text(program + COMMON)
    task = Task("before", str(folder / "old"), wheel=str(fetch()), x64=True, replay=True)
    before = run(COMMAND, folder / "before", task, "before")
    check(before, "before")
    task = Task("after", str(folder / "new"), x64=True, replay=True, against=str(folder / "old"))
    after = run(COMMAND, folder / "after", task, "after")
    check(after, "after")
    return before, after


def test_every_step_of_every_device_is_seen(outcomes: tuple[Outcome, Outcome]) -> None:
    for outcome in outcomes:
        recording = Recording(outcome.folder)
        counts: dict[int, int] = {}
        for step in recording.steps:
            size = step.parts["params"]["w"][2][0]
            counts[size] = counts.get(size, 0) + 1
        assert counts == STEPS


def test_a_step_has_its_halves_its_loss_and_its_rate(outcomes: tuple[Outcome, Outcome]) -> None:
    before, after = (Recording(outcome.folder).steps for outcome in outcomes)
    assert {"params", "grads", "state", "hyper", "new_params", "new_state"} == set(before[0].parts)
    assert {"updates", "applied", "new_params"} < set(after[0].parts)
    assert before[0].note["optimizer"] == "Adam"
    assert all("loss" in step.note for step in (before[0], after[0]))


def test_members_and_devices_are_told_apart(outcomes: tuple[Outcome, Outcome]) -> None:
    steps = [s for s in Recording(outcomes[0].folder).steps if s.parts["params"]["w"][2] == (6,)]
    assert [len(chain) for chain in chains_of(*folded(steps))] == [2, 2, 2]
    steps = [s for s in Recording(outcomes[0].folder).steps if s.parts["params"]["w"][2] == (7,)]
    assert folded(steps)[1] == 2


def test_both_sides_agree_step_by_step(outcomes: tuple[Outcome, Outcome]) -> None:
    before, after = (Recording(outcome.folder) for outcome in outcomes)
    assert len(pair(before, after)) == 6 + 3
    found = compare_recordings("free", before, [], after)
    assert found.verdict.ratio < 1e4, found.verdict
    assert before.array(before.steps[0].parts["params"]["w"]).dtype == np.float64


def test_replay_finds_every_step_equal(outcomes: tuple[Outcome, Outcome]) -> None:
    told = outcomes[1].told["replay"]
    assert "problem" not in told, told
    assert told["steps"] == 2 + 3 + 4 + 2 + 1 + 6 + 3
    assert all(one["ratio"] <= LIMIT for one in told["found"]), told


def test_a_limit_ends_both_programs_at_the_same_step(
    outcomes: tuple[Outcome, Outcome], tmp_path: Path
) -> None:
    tree = outcomes[0].folder.parent / "before"
    task = Task("before", str(tmp_path / "old"), wheel=str(fetch()), steps=3)
    before = run(COMMAND, tree, task, "before")
    assert before.code == 0
    assert sorted(before.steps.values()) == [2, 3, 3]
    task = after_task(Task("after", str(tmp_path / "new"), steps=3), before)
    after = run(COMMAND, tree.with_name("after"), task, "after")
    assert after.steps == before.steps


TWO = """
import jax
import jax.numpy as jnp
PARAMS = {'w': jax.random.normal(jax.random.PRNGKey(0), (4,))}
grads_of = lambda params: {'w': jnp.sin(params['w']).at[0].set(jnp.nan)}
"""
TWO_BEFORE = """
from flax import optim
for definition in (optim.Adam(), optim.Momentum()):
  optimizer = definition.create(PARAMS)
  for number in range(3):
    optimizer = optimizer.apply_gradient(grads_of(optimizer.target), learning_rate=0.1 / (1 + number))
"""
TWO_AFTER = """
import optax
for tx in (optax.scale_by_adam(), optax.trace(0.9)):
  params, state = PARAMS, tx.init(PARAMS)
  for number in range(3):
    updates, state = tx.update(grads_of(params), state, params)
    params = optax.apply_updates(params, jax.tree.map(lambda u: -0.1 / (1 + number) * u, updates))
"""


def test_optimizers_of_one_shape_are_replayed_each_with_its_own_numbers(tmp_path: Path) -> None:
    """Rates that are Python's own numbers change from step to step without being traced; a NaN is as it was."""
    for side, program in (("before", TWO_BEFORE), ("after", TWO_AFTER)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.py").write_text(TWO + program)
    task = Task("before", str(tmp_path / "old"), wheel=str(fetch()), x64=True, replay=True)
    before = run(COMMAND, tmp_path / "before", task, "before")
    check(before, "before")
    assert before.told["replay"] == {}
    against = str(tmp_path / "old")
    task = Task("after", str(tmp_path / "new"), x64=True, replay=True, against=against)
    after = run(COMMAND, tmp_path / "after", task, "after")
    check(after, "after")
    told = after.told["replay"]
    assert told["steps"] == 6
    assert all(one["ratio"] <= LIMIT for one in told["found"]), told


GOES_ON = """
from flax import optim
state = optim.Momentum(0.1).create(PARAMS)
try:
  for number in range(100_000):
    state = state.apply_gradient(state.target)
finally:
  open('ended', 'w').close()
"""


def test_a_program_that_made_its_steps_does_not_go_on_beside_the_replay(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TWO + GOES_ON)
    folder = str(tmp_path / "old")
    task = Task("before", folder, wheel=str(fetch()), steps=3, x64=True, replay=True)
    found = run(COMMAND, tmp_path, task, "before")
    assert (found.code, list(found.steps.values())) == (0, [3])
    assert (tmp_path / "ended").exists()
    assert found.told["replay"] == {}


def test_what_an_earlier_run_compiled_is_not_compiled_again(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TWO + GOES_ON)
    task = Task("before", str(tmp_path / "first"), wheel=str(fetch()), steps=2, light=True)
    task = replace(task, cache=str(tmp_path / "compiled"))
    first = run(COMMAND, tmp_path, task, "first")
    again = run(COMMAND, tmp_path, replace(task, folder=str(tmp_path / "again")), "again")
    names = {name for name, _ in first.told["compiled"]}
    assert again.told["retrieved"]
    assert set(again.told["retrieved"]) <= names
    assert not {name for name, _ in again.told["compiled"]} & set(again.told["retrieved"])
    assert compile_times(first).keys() == names
