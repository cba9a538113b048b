"""Programs that know how flax.optim stored an optimizer are told; dicts of their own are not mistaken for it."""

import pytest
from migration import migrated_program, told

from flax2optax.codemod.diagnostic import Diagnostic, Severity
from flax2optax.codemod.outcome import Outcome

TRAIN = """from flax import optim, serialization
from flax.training import checkpoints
import numpy as np

def make(params):
    return optim.Adam(learning_rate=0.1).create(params)

def step(optimizer, grads):
    return optimizer.apply_gradient(grads)

def run(params, grads):
    return step(make(params), grads).target

"""
OWN = {
    "a batch with such keys": "def loss(batch):\n    return batch['target'] - batch['state']\n",
    "a dict display": (
        "CONFIG = {'optimizer': {'target': 'adam', 'state': 'cold'}}\n"
        "name = CONFIG['optimizer']['target']\n"
    ),
    "a dict that a function hands on": (
        "def config():\n    return {'optimizer': {'target': 'adam'}}\n\n"
        "def name():\n    return config()['optimizer']['target']\n"
    ),
    "what a library reads from a file of settings": (
        "import yaml\n\nsettings = yaml.safe_load(open('a'))\nname = settings['optimizer']['target']\n"
    ),
    "arrays that a library reads": "data = np.load('a.npz')\nx, y = data['input'], data['target']\n",
    "keys of a checkpoint that mean something else": (
        "saved = checkpoints.restore_checkpoint('d', None)\nepoch = saved['state']['epoch']\n"
    ),
    "params of a checkpoint": (
        "saved = checkpoints.restore_checkpoint('d', None)\nparams = saved['params']['dense']\n"
    ),
    "a membership test in a dict of its own": (
        "def known(batch):\n    return 'target' in batch and batch.get('target')\n"
    ),
    "settings that may be missing": (
        "import yaml\n\nsettings = yaml.safe_load(open('a')) or {}\nname = settings['optimizer']['target']\n"
    ),
    "an attribute and a key of something else": (
        "def f(physics):\n    return physics.sensors['target']\n"
    ),
}
ADDRESSED = {
    "a checkpoint without a template": (
        "saved = checkpoints.restore_checkpoint('d', None)\nparams = saved['optimizer']['target']\n"
    ),
    "a template that is None by keyword": (
        "saved = checkpoints.restore_checkpoint('d', target=None)\nparams = saved['target']\n"
    ),
    "no template at all": (
        "saved = checkpoints.restore_checkpoint('d')\nparams = saved['0']['target']['w']\n"
    ),
    "arrays by their names, made a tree again": (
        "def recover(names, values):\n    tree = {}\n    for name, value in zip(names, values):\n"
        "        tree[name] = value\n    return tree\n\n"
        "def load(path, like=None):\n    data = np.load(path)\n"
        "    return data.build(like) if like else recover(data.keys(), data.values())\n\n"
        "saved = load('a.npz')\nparams = saved['opt']['target']['w']\n"
    ),
    "a dict that also is a template": (
        "def load(path, like):\n    saved = dict(like)\n    for name, value in np.load(path).items():\n"
        "        saved[name] = value\n    return saved\n\n"
        "def resume(params):\n    return load('a.npz', {'opt': make(params)})['opt']\n\n"
        "def pretrained():\n    return load('a.npz', {})['opt']['target']\n"
    ),
    "a blob": (
        "def load(data):\n    saved = serialization.msgpack_restore(data)\n"
        "    return saved['opt']['state']['step']\n"
    ),
    "a function hands it on": (
        "def load():\n    return checkpoints.restore_checkpoint('d', None)\n\n"
        "def params():\n    return load()['optimizer']['target']\n"
    ),
    "it is kept in a name in between": (
        "saved = checkpoints.restore_checkpoint('d', None)\nold = saved['optimizer']\n"
        "params = old['target']\n"
    ),
    "the records of the moments": (
        "saved = checkpoints.restore_checkpoint('d', None)\n"
        "m = saved['optimizer']['state']['param_states']\n"
    ),
    "a parameter that nobody is seen to pass": (
        "def load(saved):\n    return saved['optimizer']['target']\n"
    ),
    "a dict filled under computed names": (
        "def tree(names, arrays):\n    found = {}\n    for name, array in zip(names, arrays):\n"
        "        found[name] = array\n    return found\n\n"
        "def params(names, arrays):\n    return tree(names, arrays)['opt']['target']\n"
    ),
}
SILENT = {
    "a test of membership": (
        "saved = checkpoints.restore_checkpoint('d', None)\n"
        "params = saved['target'] if 'target' in saved else saved\n"
    ),
    "a default": (
        "saved = checkpoints.restore_checkpoint('d', None)\nparams = saved.get('target', saved)\n"
    ),
    "a handler": (
        "saved = checkpoints.restore_checkpoint('d', None)\ntry:\n    params = saved['target']\n"
        "except KeyError:\n    params = saved\n"
    ),
}
OWN_STATE = {
    "the optimizer": "def parts(o):\n    return serialization.to_state_dict(make(o))['target']\n",
    "its method": "def parts(o):\n    return make(o).state_dict()['state']['step']\n",
    "a record of it": (
        "import flax\n\n@flax.struct.dataclass\nclass State:\n    optimizer: optim.Optimizer\n\n"
        "def parts(o):\n    state = State(optimizer=make(o))\n"
        "    return serialization.to_state_dict(state)['optimizer']['target']\n"
    ),
}


def outcome_of(rest: str) -> Outcome:
    return migrated_program({"train.py": TRAIN + rest}, todo=False)


def layouts(outcome: Outcome, code: str = "FXO702") -> list[Diagnostic]:
    return [one for one in outcome.diagnostics if one.code == code]


@pytest.mark.parametrize("name", OWN)
def test_it_says_nothing_of(name: str) -> None:
    outcome = outcome_of(OWN[name])
    assert layouts(outcome) == []
    assert told(outcome) == []


def test_it_says_nothing_where_there_is_no_optimizer() -> None:
    program = TRAIN.split("def make")[0].replace("optim, ", "") + ADDRESSED["no template at all"]
    assert migrated_program({"read.py": program}).diagnostics == ()


@pytest.mark.parametrize("name", ADDRESSED)
def test_it_points_to_the_command_and_migrates_for(name: str) -> None:
    outcome = outcome_of(ADDRESSED[name])
    (found,) = layouts(outcome)
    assert found.severity is Severity.NOTE
    assert "flax2optax checkpoint" in found.help
    assert told(outcome) == []
    assert len(outcome.changes) == 1


@pytest.mark.parametrize("name", SILENT)
def test_where_a_new_checkpoint_would_take_another_way_it_stops(name: str) -> None:
    outcome = outcome_of(SILENT[name])
    assert [one.code for one in told(outcome) if one.fix is None and "FXO7" in one.code] == [
        "FXO702"
    ]
    assert outcome.changes == ()


@pytest.mark.parametrize("name", OWN_STATE)
def test_a_state_dict_that_is_taken_apart_at_once_stops(name: str) -> None:
    outcome = outcome_of(OWN_STATE[name])
    assert "FXO702" in {one.code for one in told(outcome)}
    assert outcome.changes == ()


def test_the_line_is_the_one_of_the_keys() -> None:
    (found,) = layouts(outcome_of(ADDRESSED["no template at all"]))
    assert found.location.line == TRAIN.count("\n") + 2
    assert "['0']['target']" in found.message


def test_a_module_that_only_reads_checkpoints_is_read_too() -> None:
    reader = "from flax.training import checkpoints\n\n" + ADDRESSED["no template at all"]
    outcome = migrated_program({"train.py": TRAIN, "read.py": reader})
    assert [one.location.path for one in layouts(outcome)] == ["read.py"]


def test_a_module_that_only_reads_checkpoints_is_a_candidate() -> None:
    from flax2optax.codemod.mention import mentions_api

    text = b"from flax import serialization\nx = f()%s\n"
    assert mentions_api(text % b"['optimizer']['target']")
    assert mentions_api(text % b'["optimizer"]["target"]')
    assert not mentions_api(text % b"['target']")
    assert not mentions_api(b"x = f()['optimizer']['target']\n")


RESTORED = """
def load(params):
    return checkpoints.restore_checkpoint('d', make(params))
"""


def test_an_optimizer_that_is_only_a_template_is_told() -> None:
    program = TRAIN.split("def step")[0] + RESTORED + "\nPARAMS = load({'w': 1.0}).target\n"
    outcome = migrated_program({"restore.py": program}, todo=False)
    (found,) = layouts(outcome, "FXO701")
    assert (found.severity, told(outcome), len(outcome.changes)) == (Severity.NOTE, [], 1)
    assert "only made" in found.message
    assert "flax2optax checkpoint" in found.help


def test_a_training_that_goes_on_from_a_checkpoint_is_told() -> None:
    outcome = outcome_of(RESTORED + "\nprint(step(load({'w': 1.0}), {'w': 1.0}))\n")
    (found,) = layouts(outcome, "FXO701")
    assert (found.severity, told(outcome), len(outcome.changes)) == (Severity.NOTE, [], 1)
    assert "only made" not in found.message


def test_params_that_are_restored_alone_are_not_told() -> None:
    outcome = outcome_of(
        "def load(p):\n    return checkpoints.restore_checkpoint('d', make(p).target)\n"
    )
    assert layouts(outcome, "FXO701") == []


def test_a_note_can_be_answered() -> None:
    answer = "params = saved['target']  # flax2optax: ignore[FXO702] converted by hand\n"
    program = "saved = checkpoints.restore_checkpoint('d')\n" + answer
    assert migrated_program({"train.py": TRAIN + program}).diagnostics != ()
    assert {one.code for one in outcome_of(program).diagnostics}.isdisjoint({"FXO702", "FXO803"})
