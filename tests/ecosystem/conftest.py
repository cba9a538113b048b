import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ecosystem_packages import read_manifest, unpack

PACKAGES = {one.name: one for one in read_manifest()}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run flax2optax as its users do."""
    state = {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}

    def run(*arguments: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "flax2optax", *map(str, arguments)]
        return _run(command, state, cwd)

    return run


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The unpacked package of a name; not to be written to."""
    top = tmp_path_factory.mktemp("before")

    def folder(name: str) -> Path:
        return top / name if (top / name).is_dir() else unpack(PACKAGES[name], top / name)

    return folder


@pytest.fixture(scope="session")
def after(
    before: Callable[[str], Path], tool: Run, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The package as the tool leaves it, with nothing left for anybody to do."""
    top = tmp_path_factory.mktemp("after")

    def folder(name: str) -> Path:
        if not (top / name).is_dir():
            shutil.copytree(before(name), top / name)
            done = tool("--isolated", ".", cwd=top / name)
            assert done.returncode == 0, done.stdout + done.stderr
        return top / name

    return folder


def _run(
    command: list[str], settings: dict[str, str], cwd: Path
) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **settings}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)
