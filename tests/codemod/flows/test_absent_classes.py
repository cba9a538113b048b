"""Objects of a class of the program itself whose file is not there."""

import pytest
from migration import migrated_project, text_of, told

PROGRAM = """\
import flax
from flax import optim
{imports}
from agents.files import load


@flax.struct.dataclass
class Model:
  optimizer: optim.Optimizer

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
FILES = "def load():\n  pass\n"
LEARNER = "agents/learner.py"


def project(made: str = "Agent(actor=actor, rng=rng)", imports: str = "", more: str = "") -> dict:
    imports = imports or "from agents.agent import Agent"
    text = PROGRAM.format(made=made, imports=imports) + more
    return {LEARNER: text, "agents/files.py": FILES}


def outcome_of(files: dict) -> tuple[set[str], str]:
    """The codes that are left to a person, and the learner's new text; a second run plans nothing."""
    outcome = migrated_project(files, todo=False)
    new = {name: text_of(outcome, text, name) for name, text in files.items()}
    again = migrated_project(new, todo=False)
    assert {name: text_of(again, text, name) for name, text in new.items()} == new
    return {one.code for one in told(outcome)}, new[LEARNER]


LOST = {
    "by position": project("Agent(actor, rng)"),
    "under another name": project("Agent(model=actor, rng=rng)"),
    "by a function": project("make_agent(actor=actor)", "from agents.agent import make_agent"),
    "by a method of the class": project("Agent.make(actor=actor)"),
    "an object of a library's class": project(imports="from acme.agent import Agent"),
    "a library that is called like a folder": project(imports="from tools.agent import Agent")
    | {"tools/x.py": "pass\n"},
    "a class that inherits from it": project(
        "Own(actor=actor)", more="\n\nclass Own(Agent):\n  pass\n"
    ),
}


@pytest.mark.parametrize("files", LOST.values(), ids=LOST)
def test_what_is_not_read_back_by_its_keyword_is_not_followed(files):
    codes, text = outcome_of(files)
    assert codes >= {"FXO310"}
    assert text == files[LEARNER]


FOUND = {
    "by keywords": project(),
    "some by position": project("Agent(rng, actor=actor)"),
    "as a module": project("agent.Agent(actor=actor)", "import agents.agent as agent"),
    "by its whole name": project("agents.agent.Agent(actor=actor)", "import agents.agent"),
    "from beside it": project(imports="from .agent import Agent"),
    "of a package's own file": project(imports="from agents import Agent"),
    "of a package": project(imports="from tools.agent import Agent") | {"tools/__init__.py": ""},
    "under another name": project("A(actor=actor)", "from agents.agent import Agent as A"),
    "with a dict's items": project("Agent(**dict(actor=actor))"),
}


@pytest.mark.parametrize("files", FOUND.values(), ids=FOUND)
def test_a_field_is_what_its_keyword_was_given(files):
    codes, text = outcome_of(files)
    assert codes == set()
    assert "self.agent.actor.optimizer.params" in text
    assert "self.optimizer.apply_gradients(grads=grads)" in text


def test_the_class_is_named_in_a_note():
    outcome = migrated_project(project(), todo=False)
    notes = [one for one in outcome.diagnostics if one.code == "FXO313"]
    assert [one.location.line for one in notes] == [18]
    assert "`Agent` (agents/agent)" in notes[0].message


def test_an_object_that_is_only_passed_on_is_nothing_to_tell():
    files = {LEARNER: project()[LEARNER].replace("self.agent.actor.optimizer.target", "x")}
    files[LEARNER] = files[LEARNER].replace("self.agent.actor.step(grads)", "None")
    outcome = migrated_project(files | {"agents/files.py": FILES}, todo=False)
    assert "FXO313" not in {one.code for one in outcome.diagnostics}


LOOKED_INTO = {
    "its fields as a dict": "vars(self.agent)",
    "its bytes": "pickle.dumps(self.agent)",
}


@pytest.mark.parametrize("use", LOOKED_INTO.values(), ids=LOOKED_INTO)
def test_an_object_is_looked_into_like_any_record(use):
    files = project(more=f"\n  def save(self):\n    import pickle\n    return {use}\n")
    codes, text = outcome_of(files)
    assert codes >= {"FXO309"}
    assert text == files[LEARNER]


PASSED_ON = {
    "through jit": "jax.jit(lambda agent, x: agent)(self.agent, x).actor",
    "through a map over its leaves": "jax.tree_map(lambda leaf: leaf, self.agent).actor",
    "out of a list": "[self.agent][0].actor",
    "by its name": "getattr(self.agent, 'actor')",
    "one after another": "[one for one in self.agent][0]",
}


@pytest.mark.parametrize("actor", PASSED_ON.values(), ids=PASSED_ON)
def test_an_object_is_passed_on_like_any_record(actor):
    more = f"\n  def more(self, x):\n    import jax\n    return {actor}.optimizer.target\n"
    codes, text = outcome_of(project(more=more))
    assert codes == set()
    assert f"{actor}.optimizer.params" in text


# The optimizer itself in a field

STATE = """\
from flax import optim
from agents.files import load
from agents.state import State


def make(params):
  return State(optimizer=optim.Adam(1e-3).create(params), step=0)


def train(params, batches):
  state = make(params)
  for grads in batches:
    state = {update}
  return {result}
"""
UPDATE = "state.replace(optimizer=state.optimizer.apply_gradient(grads), step=state.step + 1)"
RESULT = "state.optimizer.target"


def training(update: str = UPDATE, result: str = RESULT) -> dict:
    return {LEARNER: STATE.format(update=update, result=result), "agents/files.py": FILES}


NO_RECORDS = {
    "it has a method": training("state.update(grads)"),
    "it has another field": training(result="state.optimizer.target, state.params"),
    "it is called": training("state(grads)"),
    "the field is not read": training("state.replace(step=state.step + 1)", "state"),
    "it is replaced by position": training("state.replace(state.optimizer.apply_gradient(grads))"),
}


@pytest.mark.parametrize("files", NO_RECORDS.values(), ids=NO_RECORDS)
def test_an_optimizer_goes_into_a_record_only(files):
    codes, text = outcome_of(files)
    assert "FXO309" in codes
    assert text == files[LEARNER]


@pytest.mark.parametrize("name", ["replace", "_replace"])
def test_an_optimizer_in_a_record(name):
    codes, text = outcome_of(training(UPDATE.replace("replace", name)))
    assert codes == set()
    assert f"state = state.{name}(optimizer=state.optimizer.apply_gradients(grads=grads)" in text
    assert "return state.optimizer.params" in text


def test_an_optimizer_that_is_assigned_to_a_field():
    body = STATE.format(
        update="step(state, grads)", result=RESULT
    ) + "\n\ndef step(state: State, grads):\n  {}\n  return state\n".format(
        "state.optimizer = state.optimizer.apply_gradient(grads)"
    )
    codes, text = outcome_of({LEARNER: body, "agents/files.py": FILES})
    assert codes == set()
    assert "state.optimizer = state.optimizer.apply_gradients(grads=grads)" in text


FUNCTION = """\
from flax import optim
from agents.files import load
from agents.loop import Loop


def step(optimizer, grads):
  return optimizer.apply_gradient(grads)


def train(params, grads):
  loop = Loop(step=step)
  return loop.step(optim.Adam(0.1).create(params), grads).target
"""


def test_a_function_that_such_a_class_has_may_be_wrapped_in_anything():
    files = {LEARNER: FUNCTION, "agents/files.py": FILES}
    codes, text = outcome_of(files)
    assert codes >= {"FXO309"}
    assert text == FUNCTION


# All or nothing

OTHER = """\
from flax import optim
from agents.agent import Agent


def other(params, grads):
  agent = Agent(critic=optim.Momentum(0.1).create(params))
  critic = agent.critic.apply_gradient(grads)
  return agent.replace(critic=critic){more}
"""


@pytest.mark.parametrize("more", [".critic.state.param_states", ".run()"])
def test_one_optimizer_of_a_class_stops_the_others(more):
    files = project() | {"agents/other.py": OTHER.format(more=more)}
    codes, text = outcome_of(files)
    assert codes
    assert text == files[LEARNER]


def test_what_is_left_of_another_class_is_left_again():
    more = OTHER.format(more=".critic.state.param_states")
    other = more.replace("import Agent", "import Pair").replace("Agent(", "Pair(")
    codes, text = outcome_of(project() | {"agents/other.py": other})
    assert codes >= {"FXO306"}
    assert "self.agent.actor.optimizer.params" in text


def test_all_optimizers_of_a_class_migrate_together():
    files = project() | {"agents/other.py": OTHER.format(more="")}
    outcome = migrated_project(files, todo=False)
    assert told(outcome) == []
    changed = {flow.id for flow in outcome.flows if flow.applied and flow.edits}
    assert len({one for one in changed if not one.startswith("file")}) == 1


def test_what_is_given_by_position_stops_what_is_given_by_name():
    other = OTHER.format(more="").replace("critic=optim", "optim")
    codes, text = outcome_of(project() | {"agents/other.py": other})
    assert "FXO309" in codes
    assert text == project()[LEARNER]


READER = """\
from agents.agent import Agent


def act(agent: Agent, x):
  return x @ agent.actor.{field}
"""


def test_a_file_that_takes_such_objects_is_read():
    files = project() | {"agents/act.py": READER.format(field="optimizer.target")}
    outcome = migrated_project(files, todo=False)
    assert told(outcome) == []
    text = text_of(outcome, files["agents/act.py"], "agents/act.py")
    assert "x @ agent.actor.optimizer.params" in text


def test_what_such_a_file_does_may_stop_the_flow():
    files = project() | {
        "agents/act.py": READER.format(field="optimizer.state.param_states.pop('w')")
    }
    codes, text = outcome_of(files)
    assert "FXO306" in codes
    assert text == files[LEARNER]
