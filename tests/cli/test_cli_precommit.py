"""The hooks under the real pre-commit, in repositories made here."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_pipeline.py")
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
OURS = "import flax\nopt = flax.optim.Adam()\n"


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A home of its own, and a `flax2optax` on the path that runs over the stand-in pipeline."""
    command = tmp_path / "bin" / "flax2optax"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    command.chmod(0o755)
    return os.environ | {
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def test_the_hook_migrates_what_is_staged(tmp_path: Path, environment: Mapping[str, str]) -> None:
    user = using("flax2optax", tmp_path, "language: system")
    (user / "irrelevant.py").write_text("x = 1\n")
    (user / "my train.py").write_text(OURS)
    ran = pre_commit(user, environment)
    assert b"files were modified by this hook" in ran.stdout
    assert (user / "my train.py").read_text() == OURS.replace("flax.optim.", "optax.")
    assert pre_commit(user, environment).returncode == 0


def test_the_check_hook_fails_and_writes_nothing(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    user = using("flax2optax-check", tmp_path, "language: system")
    (user / "train.py").write_text(OURS)
    ran = pre_commit(user, environment)
    assert ran.returncode == 1
    assert b"FXO301" in ran.stdout
    assert (user / "train.py").read_text() == OURS


def test_only_the_files_handed_over_are_written(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    user = using("flax2optax", tmp_path, "exclude: ^kept/")
    configuration = user / ".pre-commit-config.yaml"
    configuration.write_text(configuration.read_text() + "        language: system\n")
    (user / "kept").mkdir()
    (user / "kept" / "train.py").write_text(OURS)
    (user / "train.py").write_text(OURS)
    pre_commit(user, environment)
    assert (user / "kept" / "train.py").read_text() == OURS
    assert "optax" in (user / "train.py").read_text()


def test_the_hook_installs_itself_from_the_project(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    user = using("flax2optax-check", tmp_path, "verbose: true")
    (user / "irrelevant.py").write_text("x = 1\n")
    alone = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    ran = pre_commit(user, alone)
    assert ran.returncode == 0, ran.stdout
    assert b"No use of flax.optim found." in ran.stdout


def using(hook: str, top: Path, setting: str) -> Path:
    """Return a new repository that uses a hook of a copy of this project."""
    copy = top / "project"
    for name in ("migrator", "rules"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".pre-commit-hooks.yaml", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(PROJECT / name, copy)
    committed(copy)
    rev = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=copy, capture_output=True, check=True)
    user = top / "user"
    user.mkdir()
    (user / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {copy}\n    rev: {rev.stdout.decode().strip()}\n"
        f"    hooks:\n      - id: {hook}\n        {setting}\n"
    )
    subprocess.run([*GIT, "init", "-q"], cwd=user, check=True)
    return user


def committed(folder: Path) -> None:
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "copy"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)


def pre_commit(user: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[bytes]":
    subprocess.run([*GIT, "add", "--all"], cwd=user, check=True)
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    return subprocess.run(command, cwd=user, env=environment, capture_output=True)
