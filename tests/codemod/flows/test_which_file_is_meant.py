"""Of several files by one name, an import means the one that has what it asks for."""

import pytest
from migration import migrated_project, text_of, told

INIT = "from . import model\n"
MODEL = """\
from flax import optim


class Model:
  def make_optimizer_def(self):
    return optim.Adam(learning_rate=0.1)
"""
DRIVE = """\
from {package} import {name}

model = {name}.{model}Model()
optimizer = model.make_optimizer_def().create({{'a': 1.0}})
optimizer = optimizer.apply_gradient({{'a': 1.0}})
print(optimizer.target)
"""


@pytest.mark.parametrize(
    ("package", "name", "model"),
    [("dist", "dist", "model."), ("dist.dist", "model", ""), ("dist", "model", "")],
)
def test_a_package_in_a_folder_of_its_own_name(package, name, model):
    drive = DRIVE.format(package=package, name=name, model=model)
    modules = {
        "dist/dist/__init__.py": INIT,
        "dist/dist/model.py": MODEL,
        "dist/drive.py": drive,
        "pyproject.toml": "",
    }
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert "optax.adam(0.1)" in text_of(outcome, MODEL, "dist/dist/model.py")
    assert ".target" not in text_of(outcome, drive, "dist/drive.py")


def test_the_nearest_one_that_has_it():
    near = "RATE = 0.1\n\n\ndef make(params):\n  from flax import optim\n  return optim.Adam(RATE).create(params)\n"
    modules = {
        "tools.py": near.replace("make", "build"),
        "app/tools.py": near,
        "app/train.py": (
            "from tools import make\n\n\ndef step(params, grads):\n"
            "  return make(params).apply_gradient(grads).target\n"
        ),
        "app/other.py": (
            "from tools import build\n\n\ndef step(params, grads):\n"
            "  return build(params).apply_gradient(grads).target\n"
        ),
        "pyproject.toml": "",
    }
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    for name in ("app/train.py", "app/other.py"):
        assert ".target" not in text_of(outcome, modules[name], name)
