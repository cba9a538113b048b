"""A use of the old API whose receiver is not known is told, and stops its file."""

from migration import check_refused, migrated, migrated_project, text_of, told

HEAD = (
    "from flax import optim\n\n\ndef make(params):\n  return optim.Adam(1e-3).create(params)\n\n\n"
)


def test_a_step_of_something_from_elsewhere():
    check_refused(
        "import elsewhere\n"
        + HEAD
        + "def step(grads):\n  return elsewhere.get().apply_gradient(grads)\n",
        "FXO310",
    )


def test_the_params_of_something_called_an_optimizer():
    check_refused(
        "import elsewhere\n"
        + HEAD
        + "def read():\n  optimizer = elsewhere.get()\n  return optimizer.target\n",
        "FXO310",
    )


def test_an_optimizer_that_is_unpacked():
    check_refused(
        "from flax import optim\n\n\ndef make(params):\n"
        "  definition, state, target = optim.Adam(1e-3).create(params)\n  return target\n",
        "FXO309",
    )


IDLE = """\
from flax import optim as unused
import flax.optim as optim


def make(params):
  return optim.Adam(0.1).create(params){field}
"""


def test_an_import_that_nothing_uses_in_a_file_that_is_stopped():
    before = IDLE.format(field=".state.param_states")
    found = {(one.code, one.location.line) for one in told(migrated(before, todo=False))}
    assert ("FXO101", 1) in found


def test_an_import_that_nothing_uses_goes_with_the_others():
    before = IDLE.format(field="")
    outcome = migrated(before, todo=False)
    assert told(outcome) == []
    assert "flax" not in text_of(outcome, before).replace("flax.training", "")


STATE = """\
import flax
from flax import optim
import common


@flax.struct.dataclass
class State:
  optimizer: optim.Optimizer
  step: int


def make(params):
  return State(optimizer=optim.Adam(0.1).create(params), step=0)


def train(state, grads):
  return state.replace(optimizer=state.optimizer.apply_gradient(grads))
"""
READER = """\
import flax
import common


def restore({name}, other):
  params = flax.core.unfreeze(other.optimizer.target)
  return {name}.replace(optimizer={name}.optimizer.replace(target=params))
"""


def test_a_file_that_nothing_leads_to_reads_a_record():
    modules = {
        "state.py": STATE,
        "reader.py": READER.format(name="state"),
        "common.py": "RATE = 1\n",
    }
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert "unfreeze(other.optimizer.params)" in text_of(outcome, "", "reader.py")


def test_a_file_that_nothing_leads_to_reads_what_may_be_one_of_two():
    other = STATE.replace("State", "Other").replace("step: int", "step: int\n  rng: int")
    modules = {
        "state.py": STATE,
        "other.py": other,
        "reader.py": READER.format(name="state"),
        "common.py": "RATE = 1\n",
    }
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert "unfreeze(other.optimizer.params)" in text_of(outcome, "", "reader.py")
    assert {one.source.display for one in outcome.changes} == {"state.py", "other.py", "reader.py"}


def test_a_file_of_another_program_reads_something_of_its_own():
    modules = {
        "state.py": STATE,
        "reader.py": READER.format(name="state").replace("import common\n", ""),
    }
    outcome = migrated_project(modules, todo=False)
    assert {one.source.display for one in outcome.changes} <= {"state.py"}
    assert "reader.py" not in {one.location.path for one in outcome.diagnostics}


def test_a_long_way_through_files_that_do_not_name_the_library():
    hand_on = "from part{n} import give as on\n\n\ndef give(o, grads):\n  return on(o, grads)\n"
    last = "def give(o, grads):\n  return o.apply_gradient(grads)\n"
    first = (
        "from flax import optim\nfrom part0 import give\n\n\ndef train(params, grads):\n"
        "  return give(optim.Adam(1e-3).create(params), grads).target\n"
    )
    parts = {f"part{n}.py": hand_on.format(n=n + 1) for n in range(12)}
    modules = {"train.py": first, **parts, "part12.py": last}
    outcome = migrated_project(modules, todo=False, form="state")
    assert told(outcome) == []
    assert "o.apply_gradients(grads=grads)" in text_of(outcome, last, "part12.py")
