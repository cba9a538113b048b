"""Programs whose shape a proof could mistake for a difference, or for none."""

from pathlib import Path

import pytest

from flax2optax.verify import fetch
from flax2optax.verify.child.task import Task
from flax2optax.verify.outcome import Outcome
from flax2optax.verify.proof import Options, prove
from flax2optax.verify.report import Report
from flax2optax.verify.runs import Command, after_task, run
from flax2optax.verify.trees import Trees

COMMAND = Command(["python", "train.py"], platform="cpu")
MIXED = """
import jax.numpy as jnp
import optax
own, weights = optax.adam(OWN), {'v': jnp.linspace(-1., 1., 3)}
held = own.init(weights)
def step_own(weights, held):
  updates, held = own.update({'v': jnp.sin(weights['v'])}, held, weights)
  return optax.apply_updates(weights, updates), held
"""
MIXED_BEFORE = """
from flax import optim
optimizer = optim.Momentum(0.1, 0.9).create({'w': jnp.linspace(-1., 1., 3)})
for _ in range(4):
  weights, held = step_own(weights, held)
  optimizer = optimizer.apply_gradient({'w': jnp.sin(optimizer.target['w'])})
"""
MIXED_AFTER = """
params, tx = {'w': jnp.linspace(-1., 1., 3)}, optax.sgd(0.1, momentum=0.9)
state = tx.init(params)
for _ in range(4):
  weights, held = step_own(weights, held)
  updates, state = tx.update({'w': jnp.sin(params['w'])}, state, params)
  params = optax.apply_updates(params, updates)
"""
NARROW_BEFORE = """
import jax.numpy as jnp
from flax import optim
optimizer = optim.Adam(0.1).create({'w': jnp.linspace(-1., 1., 3, dtype=jnp.float32)})
for _ in range(4):
  optimizer = optimizer.apply_gradient({'w': jnp.sin(optimizer.target['w'])})
"""
NARROW_AFTER = """
import jax.numpy as jnp
import optax
params, tx = {'w': jnp.linspace(-1., 1., 3, dtype=jnp.float32)}, optax.adam(RATE)
state = tx.init(params)
for _ in range(4):
  updates, state = tx.update({'w': jnp.sin(params['w'])}, state, params)
  params = optax.apply_updates(params, updates)
"""
OWN_PARTS = """
  def init_param_state(self, param):
    return jnp.zeros_like(param)
  def apply_param_gradient(self, step, hyper_params, param, state, grad):
    state = 0.9 * state + grad
    return param - hyper_params.learning_rate * state, state

made = Own(Hyper(0.1))
params = {'w': jnp.linspace(-1., 1., 3)}
"""
OWN_BEFORE = f"""
import jax.numpy as jnp
from flax import optim, struct
@struct.dataclass
class Hyper:
  learning_rate: float
class Own(optim.OptimizerDef):
{OWN_PARTS}
optimizer = made.create(params)
for _ in range(4):
  optimizer = optimizer.apply_gradient({{'w': jnp.sin(optimizer.target['w'])}})
"""
OWN_AFTER = f"""
import jax
import jax.numpy as jnp
import optax
from flax import struct
@struct.dataclass
class Hyper:
  learning_rate: float
@struct.dataclass
class State:
  step: jax.Array
  param_states: object
class OptimizerDef:
  def __init__(self, hyper_params):
    self.hyper_params = hyper_params
  def init(self, params):
    return self.init_state(params)
  def update(self, updates, state, params):
    new_params, state = self.apply_gradient(self.hyper_params, params, state, updates)
    return jax.tree_util.tree_map(lambda new, old: new - old, new_params, params), state
  def init_state(self, params):
    return State(jnp.int32(0), jax.tree_util.tree_map(self.init_param_state, params))
  def apply_gradient(self, hyper_params, params, state, grads):
    new, kept = self.apply_param_gradient(
        state.step, hyper_params, params['w'], state.param_states['w'], grads['w'])
    return {{'w': new}}, State(state.step + 1, {{'w': kept}})
class Own(OptimizerDef):
{OWN_PARTS}
state = made.init(params)
for _ in range(4):
  updates, state = made.update({{'w': jnp.sin(params['w'])}}, state, params)
  params = optax.apply_updates(params, updates)
"""
ENDLESS = """
import jax.numpy as jnp
import optax
params, tx = {'w': jnp.ones(2), 'more': jnp.ones(3)}, optax.sgd(0.1)
state = tx.init(params)
while True:
  updates, state = tx.update(params, state, params)
  params = optax.apply_updates(params, updates)
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


def proof(folder: Path, before: str, after: str) -> Report:
    for side, program in (("before", before), ("after", after)):
        (folder / side).mkdir()
        (folder / side / "train.py").write_text(program)
    options = Options(fetch(), steps=0, timing=False, shown="x")
    return prove(Trees(folder / "before", folder / "after"), COMMAND, options, lambda *_: None)


def test_a_mistake_in_a_transformation_that_was_there_before(tmp_path: Path) -> None:
    before, after = MIXED.replace("OWN", "0.1"), MIXED.replace("OWN", "0.1, eps=1e-6")
    found = proof(tmp_path, before + MIXED_BEFORE, after + MIXED_AFTER)
    assert found.answer == "differs"
    assert found.leaf.endswith("params/v")


def test_a_transformation_that_was_there_before_is_no_difference(tmp_path: Path) -> None:
    common = MIXED.replace("OWN", "0.1")
    found = proof(tmp_path, common + MIXED_BEFORE, common + MIXED_AFTER)
    assert found.answer in ("equal", "equal to rounding"), found.sentence
    assert found.evidence[0].steps == 8


@pytest.mark.parametrize(
    ("rate", "answer"), [("0.1000001", "differs"), ("0.1", "equal to rounding")]
)
def test_parameters_that_only_the_program_after_keeps_in_float32(
    rate: str, answer: str, tmp_path: Path
) -> None:
    found = proof(tmp_path, NARROW_BEFORE, NARROW_AFTER.replace("RATE", rate))
    assert found.answer == answer, found.sentence
    assert any("The program after keeps w (float32) in its own type" in one for one in found.notes)


@pytest.mark.parametrize("beta", ["0.90000001", "0.9"])
def test_an_optimizer_class_of_the_program_has_optax_s_interface_afterwards(
    beta: str, tmp_path: Path
) -> None:
    found = proof(tmp_path, OWN_BEFORE, OWN_AFTER.replace("0.9 *", f"{beta} *"))
    assert found.evidence[0].steps == 4
    assert not [note for note in found.notes if "not found" in note or "No replay" in note]
    if beta == "0.9":
        assert found.answer.startswith("equal"), found.sentence
    else:
        assert (found.answer, found.step) == ("differs", 2)


def test_a_program_with_another_tree_is_stopped_too(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ENDLESS)
    told = {"steps": {"another tree": 2}}
    task = after_task(
        Task("after", str(tmp_path / "new"), steps=2), Outcome("a", tmp_path, 0, 1.0, told=told)
    )
    found = run(COMMAND, tmp_path, task, "after")
    assert (found.code, list(found.steps.values())) == (0, [2])
