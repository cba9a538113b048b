"""Round trip: a fixture saves under flax.optim, the codemod migrates it, and the migrated program trains on."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import flax
import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import serialization
from flax.training import checkpoints
from restarted import program
from trees import flat

from flax2optax.checkpoint import restore_checkpoint
from flax2optax.cli import main
from flax2optax.verify.precision import disturbed_create
from flax2optax.verify.reference import DEPRECATIONS, serve
from flax2optax.verify.verdict import Run, judge

FIXTURES = Path(__file__).parents[2] / "fixtures"
SAVED, STEPS = 3, 5


@pytest.fixture
def optim() -> Iterator[ModuleType]:
    with serve() as served, warnings.catch_warnings():
        for message in DEPRECATIONS:
            warnings.filterwarnings("ignore", message=message, category=DeprecationWarning)
        yield served


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def migrated(name: str, folder: Path) -> Any:
    copy = folder / "after" / "train.py"
    copy.parent.mkdir()
    copy.write_bytes((FIXTURES / name / "before" / "train.py").read_bytes())
    assert main(["-q", "--isolated", str(copy)]) == 0
    return program(copy)


def runs(optim: Any, make: Any, step: Any, params: Any, save: Path) -> tuple[Run, list[Run]]:
    """The run that saves, and its control runs, after the checkpoint."""

    def run(seed: int) -> Run:
        with disturbed_create(optim.OptimizerDef, seed):
            state, found = make(), []
            for number in range(STEPS):
                state = step(state, number)
                if number == SAVED - 1 and not seed:
                    save.write_bytes(serialization.to_bytes(state))
                if number >= SAVED:
                    found.append(flat(params(state)))
            return found

    before, *controls = (run(seed) for seed in range(4))
    return before, controls


def go_on(state: Any, step: Any, params: Any) -> Run:
    found = []
    for number in range(SAVED, STEPS):
        state = step(state, number)
        found.append(flat(params(state)))
    return found


def rms_step(module: Any) -> Any:
    return lambda state, i: module.update(state, jax.random.normal(jax.random.PRNGKey(i), (12, 4)))


def test_one_optimizer_in_a_train_state(optim: ModuleType, folder: Path) -> None:
    name = "bytes_round_trip"
    old = program(FIXTURES / name / "before" / "train.py")
    before, controls = runs(
        optim, old.new_optimizer, rms_step(old), lambda s: s.target, folder / "checkpoint_3"
    )
    new = migrated(name, folder)
    template = new.new_optimizer()
    options = ["--tx", "own_rms:tx"]
    (folder / "own_rms.py").write_text(
        "import optax\ntx = lambda: optax.rmsprop(0.01, eps_in_sqrt=False)\n"
    )
    assert main(["checkpoint", "checkpoint_3", "converted", *options]) == 0
    assert (
        main(["checkpoint", "checkpoint_3", "orbax", "--optimizer", "rmsprop", "--to", "orbax"])
        == 0
    )
    restored = {
        "bytes": serialization.from_bytes(template, (folder / "converted").read_bytes()),
        "restore_checkpoint": checkpoints.restore_checkpoint(str(folder / "converted"), template),
        "on the fly": restore_checkpoint(folder / "checkpoint_3", template),
        "orbax": from_orbax(folder / "orbax", template),
    }
    for state in restored.values():
        after = go_on(state, rms_step(new), lambda s: s.params)
        assert judge(before, controls, after).equal
        assert state.step == SAVED
    dropped = template.replace(params=restored["bytes"].params)
    assert not judge(before, controls, go_on(dropped, rms_step(new), lambda s: s.params)).equal


def from_orbax(folder: Path, template: Any) -> Any:
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(folder, template)


def agent_batch(i: int) -> dict[str, Any]:
    keys = jax.random.split(jax.random.PRNGKey(50 + i), 4)
    shapes = {"obs": (8, 4), "action": (8, 2), "next_obs": (8, 4), "reward": (8,)}
    return {
        name: jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


def test_several_optimizers_in_a_state(optim: ModuleType, folder: Path) -> None:
    name = "actor_critic_state"

    def step_of(module: Any) -> Any:
        return lambda state, i: module.update(state, agent_batch(i))[0]

    old = program(FIXTURES / name / "before" / "train.py")
    before, controls = runs(
        optim,
        lambda: old.create_state(0),
        step_of(old),
        lambda s: [s.actor.target, s.critic.target, s.temperature.target],
        folder / "agent",
    )
    new = migrated(name, folder)
    template = new.create_state(1)
    options = [f"--optimizer={one}=adam" for one in ("actor", "critic", "temperature")]
    assert main(["checkpoint", "agent", "converted", *options]) == 0
    assert main(["checkpoint", "agent", "orbax", *options, "--to", "orbax"]) == 0
    for state in (
        checkpoints.restore_checkpoint(str(folder / "converted"), template),
        restore_checkpoint(folder / "agent", template),
        from_orbax(folder / "orbax", template),
    ):
        assert int(state.steps) == SAVED
        after = go_on(
            state, step_of(new), lambda s: [s.actor.params, s.critic.params, s.temperature.params]
        )
        assert judge(before, controls, after).equal


def test_what_orbax_wrote_is_what_msgpack_holds(folder: Path) -> None:
    from saved import adam, data

    (folder / "old").write_bytes(data({"optimizer": adam("bfloat16"), "epoch": 3}))
    assert main(["checkpoint", "old", "new", "--optimizer", "adam", "--cast"]) == 0
    assert main(["checkpoint", "old", "orbax", "--optimizer", "adam", "--to", "orbax"]) == 0
    assert (
        main(["checkpoint", "old", "orbax", "--optimizer", "adam", "--to", "orbax", "--force"]) == 0
    )
    with ocp.PyTreeCheckpointer() as checkpointer:
        found = checkpointer.restore((folder / "orbax").resolve())
    held = flax.serialization.msgpack_restore((folder / "new").read_bytes())
    left, right = flat(serialization.to_state_dict(found)), flat(held)
    assert left.keys() == right.keys()
    assert all(np.array_equal(left[path], right[path]) for path in left)
