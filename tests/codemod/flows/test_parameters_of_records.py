"""Parameters nobody passes that have the fields of records with an optimizer: they are those records."""

from migration import migrated_project, text_of, told

STATE = """
from flax import optim, struct


@struct.dataclass
class TrainState:
  step: int
  optimizer: optim.Optimizer
  model_state: dict
"""
TRAINER = """
from flax import optim
from {home}.state import TrainState
from {home} import models


def train_step(train_state, grads):
  return train_state.replace(optimizer=train_state.optimizer.apply_gradient(grads))


def main(params, grads):
  train_state = TrainState(0, optim.{kind}(0.1).create(params), {{}})
  for _ in range(10):
    train_state = train_step(train_state, grads)
  return train_state.optimizer.target
"""
MODELS = """
class Model:
  def init_from_train_state(self, train_state, restored_train_state):
    restored = restored_train_state.optimizer.target
    optimizer = train_state.optimizer.replace(target=restored)
    return train_state.replace(optimizer=optimizer, model_state=restored_train_state.model_state)
"""


def project(home, kind="Adam", models=MODELS):
    return {
        f"{home}/__init__.py": "",
        f"{home}/state.py": STATE,
        f"{home}/models.py": models,
        f"{home}/train.py": TRAINER.format(home=home, kind=kind),
    }


def test_one_record():
    files = project("app")
    outcome = migrated_project(files)
    assert told(outcome) == []
    after = text_of(outcome, MODELS, "app/models.py")
    assert "restored = restored_train_state.optimizer.params" in after
    assert "train_state.optimizer.replace(params=restored)" in after


def test_two_generations_of_one_record():
    files = project("app") | {
        "app/old/__init__.py": "",
        "app/old/state.py": STATE,
        "app/old/train.py": TRAINER.format(home="app.old", kind="Momentum").replace(
            "from app.old import models", "from app import models"
        ),
    }
    outcome = migrated_project(files)
    assert told(outcome) == []
    assert "restored_train_state.optimizer.params" in text_of(outcome, MODELS, "app/models.py")
    again = migrated_project({name: text_of(outcome, text, name) for name, text in files.items()})
    assert not again.changes


def test_projects_side_by_side_do_not_hold_each_other_back():
    stopped = MODELS.replace("restored =", "train_state.optimizer.state.clear()\n    restored =")
    outcome = migrated_project(project("one") | project("two", models=stopped), todo=False)
    changed = {one.source.display for one in outcome.changes}
    assert changed == {"one/state.py", "one/models.py", "one/train.py"}


def test_a_field_that_no_record_has_is_another_thing():
    models = MODELS.replace("restored_train_state.model_state", "restored_train_state.heads")
    outcome = migrated_project(project("app", models=models))
    assert "FXO303" in {one.code for one in told(outcome)}
