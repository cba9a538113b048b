"""Orbax: what it does not take is refused before it is asked, and what is turned, cast or in chunks arrives right."""

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from flax import serialization
from flax.training import checkpoints
from flax.training.train_state import TrainState
from saved import adam, data, momentum
from trees import flat

from flax2optax.checkpoint.convert import Wish, convert_tree
from flax2optax.checkpoint.target import make_target
from flax2optax.checkpoint.tree import Array, Bytes, held
from flax2optax.checkpoint.write import write_file
from flax2optax.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("leaf", "what"),
    [(1 + 2j, "complex numbers"), (b"x", "bytes"), (np.ones((0, 3), np.float32), "arrays without")],
)
def test_it_is_refused(leaf: Any, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old").write_bytes(data({"optimizer": adam(), "rest": {"leaf": leaf}}))
    options = ["--optimizer", "adam", "--to", "orbax"]
    assert main(["checkpoint", "old", "new", *options]) == 2
    assert f"rest/leaf: Orbax takes no {what}" in capsys.readouterr().err
    assert os.listdir() == ["old"]


def test_leaves_that_do_not_lie_as_they_are_needed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 20)
    Path("old").write_bytes(data(momentum()))
    options = ["--optimizer", "lars", "--learning-rate", "0.1"]
    assert main(["checkpoint", "old", "new", *options]) == 0
    assert main(["checkpoint", "old", "orbax", *options, "--to", "orbax"]) == 0
    with ocp.PyTreeCheckpointer() as checkpointer:
        found = flat(serialization.to_state_dict(checkpointer.restore(folder / "orbax")))
    wanted = flat(serialization.msgpack_restore(Path("new").read_bytes()))
    assert found.keys() == wanted.keys()
    for path, leaf in wanted.items():
        np.testing.assert_array_equal(found[path], leaf)


def test_flax_restores_the_newest_of_a_folder(folder: Path) -> None:
    (folder / "run").mkdir()
    for step in (2, 10):
        (folder / "run" / f"checkpoint_{step}").write_bytes(data(adam(step=step)))
    template = TrainState.create(apply_fn=None, params=adam()["target"], tx=optax.adam(0.1))
    for form in ("msgpack", "orbax"):
        assert main(["checkpoint", "run", form, "--optimizer", "adam", "--to", form]) == 0
        state = checkpoints.restore_checkpoint(str(folder / form), template)
        assert int(state.step) == int(state.opt_state[0].count) == 10


def test_one_leaf_is_at_work_at_a_time(folder: Path) -> None:
    """What Python holds; Orbax's own copies are measured by the benchmark of the documentation."""
    size = 1 << 22
    leaf = Array((size // 4,), "float32", (Bytes(bytes(size), 0, size),))
    target: dict[str, Any] = {f"layer_{number}": leaf for number in range(12)}
    states = {name: {"momentum": leaf} for name in target}
    old = {"target": target, "state": {"step": 3, "param_states": states}}
    done = convert_tree(old, Wish({"": make_target("lars", {"learning_rate": "0.1"})}))
    tracemalloc.start()
    write_file(done, folder / "new", "orbax", lambda count: None, force=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * size
    assert held(done.tree)["step"] == 3
