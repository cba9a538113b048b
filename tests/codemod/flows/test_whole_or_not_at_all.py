"""A flow is migrated whole or not at all, across files too."""

from migration import migrated, migrated_program, text_of, told

STATE = """\
import flax


@flax.struct.dataclass
class State:
  step: int
  optimizer: flax.optim.Optimizer
"""
TRAIN = """\
from flax import optim
from state import State


def create(params):
  return State(step=0, optimizer=optim.Adam(1e-3).create(params))


def step(state: State, grads):
  {line}
  return state.replace(optimizer=state.optimizer.apply_gradient(grads))


def main(params, grads):
  return step(create(params), grads)
"""


def texts(line: str) -> tuple[str, str]:
    modules = {"state.py": STATE, "train.py": TRAIN.format(line=line)}
    outcome = migrated_program(modules, todo=False)
    return text_of(outcome, STATE, "state.py"), text_of(outcome, modules["train.py"], "train.py")


def test_a_type_changes_with_the_flow_that_uses_it():
    state, train = texts("del grads")
    assert "optimizer: train_state.TrainState" in state
    assert "apply_gradients(grads=grads)" in train


def test_a_type_stays_where_the_flow_that_uses_it_is_stopped():
    state, train = texts("print(state.optimizer.state.param_states['w'])")
    assert state == STATE
    assert "flax import optim" in train


def test_what_a_function_nobody_calls_returns_stays_one_object():
    before = (
        "from flax import optim\n\n\ndef create(params):\n"
        "  optimizer_def = optim.Adam(1e-3)\n  return optimizer_def.create(params)\n"
    )
    outcome = migrated(before)
    assert told(outcome) == []
    assert "TrainState.create(" in text_of(outcome, before)
