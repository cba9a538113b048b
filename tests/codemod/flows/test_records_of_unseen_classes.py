"""An object of a class that is in no file of the project: its fields are the keywords it is made with."""

import pytest
from migration import migrated, text_of, told

PROGRAM = """\
from acme import Agent, make_agent
import flax
from flax import optim


@flax.struct.dataclass
class Model:
  optimizer: flax.optim.Optimizer

  def step(self, grads):
    return self.replace(optimizer=self.optimizer.apply_gradient(grads))


class Learner:
  def __init__(self, params, rng):
    actor = Model(optimizer=optim.Adam(1e-3).create(params))
    self.agent = {made}

  def act(self, x):
    return x @ self.agent.actor.optimizer.target

  def update(self, grads):
    actor = self.agent.actor.step(grads)
    self.agent = self.agent.replace(actor=actor)
"""


def program(made: str) -> str:
    return PROGRAM.format(made=made)


LOST = {
    "by position": "Agent(actor, rng)",
    "under another name": "Agent(model=actor, rng=rng)",
    "by a function": "make_agent(actor=actor)",
    "the optimizer itself": "Agent(actor=actor, optimizer=actor.optimizer)",
}


@pytest.mark.parametrize("made", LOST.values(), ids=LOST)
def test_what_is_not_read_back_by_its_keyword_is_not_followed(made):
    assert told(migrated(program(made), todo=False))


@pytest.mark.parametrize(
    "made", ["Agent(actor=actor, rng=rng)", "Agent(rng, actor=actor)", "Agent(**dict(actor=actor))"]
)
def test_a_field_is_what_its_keyword_was_given(made):
    before = program(made)
    outcome = migrated(before, todo=False)
    assert told(outcome) == []
    after = text_of(outcome, before)
    assert "self.agent.actor.optimizer.params" in after
    assert "self.optimizer.apply_gradients(grads=grads)" in after


def test_a_method_of_the_class_may_do_anything_with_an_optimizer():
    before = program("Agent(actor=actor)") + "    self.agent.update(actor.optimizer)\n"
    assert {one.code for one in told(migrated(before, todo=False))} >= {"FXO309"}
