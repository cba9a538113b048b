"""A folder without `__init__` beside a program is not the package of that name further up."""

from migration import migrated_project, text_of, told

STEP = """\
def step(optimizer, grads):
  return optimizer.apply_gradient(grads)
"""
TRAIN = """\
from flax import optim
from library import step


def train(params, grads):
  return step(optim.Adam(1e-3).create(params), grads).target
"""


def test_a_package_is_found_before_a_bare_folder():
    modules = {"library/__init__.py": STEP, "scripts/library/train.py": TRAIN}
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert "optimizer.apply_gradients" in text_of(outcome, STEP, "library/__init__.py")


def test_a_bare_folder_is_found_where_nothing_else_has_its_name():
    modules = {
        "library/steps.py": STEP,
        "scripts/train.py": TRAIN.replace("from library import step", "from library.steps import step"),
    }  # fmt: skip
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert len(outcome.changes) == 2
