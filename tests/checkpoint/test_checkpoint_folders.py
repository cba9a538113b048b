"""Folders of checkpoints: which files are meant, in which order, and how many there may be."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest
from saved import adam, data

from flax2optax.checkpoint import CheckpointError, restore_checkpoint
from flax2optax.checkpoint.source import Selection, checkpoint_files
from flax2optax.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for step in (2, 3):
        (tmp_path / "run" / f"checkpoint_{step}").write_bytes(data(adam(step=step)))
    return tmp_path


def test_more_checkpoints_than_files_may_be_open(folder: Path) -> None:
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for step in range(4, 60):
        (folder / "run" / f"checkpoint_{step}").write_bytes(data({"log": adam(step=step)}))
    resource.setrlimit(resource.RLIMIT_NOFILE, (48, hard))
    try:
        assert main(["checkpoint", "-q", "run", "new", "--optimizer", "adam"]) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    assert len(os.listdir("new")) == 58


def test_names_that_join_with_a_dash_and_equal_steps(folder: Path) -> None:
    for name in ("ckpt-9", "ckpt-20", "ckpt-100"):
        (folder / "run" / name).write_bytes(data(adam(step=int(name[5:]))))
    (folder / "run" / "checkpoint_2.0").write_bytes(data(adam(step=2)))
    assert main(["checkpoint", "-q", "run", "new", "--optimizer", "adam"]) == 0
    assert sorted(os.listdir("new")) == ["checkpoint_2", "checkpoint_2.0", "checkpoint_3"]
    for prefix in ("ckpt", "ckpt-"):
        found = checkpoint_files(folder / "run", Selection(prefix))
        assert [file.name for file in found] == ["ckpt-9", "ckpt-20", "ckpt-100"]


def test_what_is_no_file_is_not_waited_for(folder: Path) -> None:
    os.mkfifo("pipe")
    with pytest.raises(CheckpointError, match="no file and no folder"):
        restore_checkpoint("pipe", {"w": np.ones(3)})
