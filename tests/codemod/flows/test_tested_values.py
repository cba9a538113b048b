"""`isinstance(x, Optimizer)` of a value whose origin nobody sees."""

import pytest
from migration import check_refused, migrated, text_of, told

PROGRAM = """\
import pickle
from flax import optim


def train(p, gs):
  o = optim.Adam(1e-3).create(p)
  for g in gs:
    o = o.apply_gradient(g)
  return o.target


def load(path):
  state = pickle.load(open(path, 'rb'))
{test}
"""
LOST = {
    "in the branch": "  if isinstance(state, optim.Optimizer):\n    return state.target\n  return state",
    "asserted": "  assert isinstance(state, optim.Optimizer)\n  return state.target",
    "beside others": "  if isinstance(state, (dict, optim.Optimizer)):\n    return state.target\n  return state",
    "stepped": "  if isinstance(state, optim.Optimizer):\n    state = state.apply_gradient({})\n  return state",
}


@pytest.mark.parametrize("test", LOST.values(), ids=LOST)
def test_what_is_read_of_it_stops_the_file(test):
    check_refused(PROGRAM.format(test=test), "FXO310")


def test_the_question_alone_does_not():
    before = PROGRAM.format(test="  return isinstance(state, optim.Optimizer)")
    outcome = migrated(before)
    assert told(outcome) == []
    assert "isinstance(state, train_state.TrainState)" in text_of(outcome, before)
