"""A conversion that is killed: DST is not there, or whole, or still what it was; SRC is as it was; a later run goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flax import serialization
from saved import adam, data

from flax2optax.checkpoint.place import put_in_place
from flax2optax.cli import main

STOPS = """
import os, signal, sys
from pathlib import Path
from flax2optax.checkpoint import {module} as module
from flax2optax.cli import main

old = module.{name}

def kill(*given, **named):
    if {after}:
        old(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

module.{name} = kill
main(["checkpoint", "-q", "--optimizer", "adam", *sys.argv[1:]])
"""
MOMENTS = {
    "half of the file is written": ("packing", "_plain", False),
    "the file is written": ("write", "put_in_place", False),
    "the file is in its place": ("write", "put_in_place", True),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for step in (2, 3):
        (tmp_path / "run" / f"checkpoint_{step}").write_bytes(data(adam(step=step)))
    return tmp_path


def killed(moment: str, *arguments: str) -> None:
    module, name, after = MOMENTS[moment]
    program = STOPS.format(module=module, name=name, after=after)
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def steps(place: Path) -> list[int]:
    """Of the checkpoints in a folder, or of the one; each is read whole."""
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return [int(serialization.msgpack_restore(file.read_bytes())["step"]) for file in files]


@pytest.mark.parametrize("moment", MOMENTS, ids=[name.replace(" ", "_") for name in MOMENTS])
@pytest.mark.parametrize("source", ["run", "run/checkpoint_3"])
def test_a_kill_leaves_the_old_or_the_new(source: str, moment: str, folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in (folder / "run").iterdir()}
    there = MOMENTS[moment][2]
    new = [2, 3] if source == "run" else [3]
    killed(moment, source, "new")
    assert (folder / "new").exists() == there
    assert not there or steps(folder / "new") == new

    assert main(["checkpoint", "-q", "run/checkpoint_2", "kept", "--optimizer", "adam"]) == 0
    killed(moment, source, "kept", "--force")
    assert steps(folder / "kept") == (new if there else [2])

    assert {file.name: file.read_bytes() for file in (folder / "run").iterdir()} == before
    for place in ("new", "kept"):
        assert main(["checkpoint", "-q", source, place, "--optimizer", "adam", "--force"]) == 0
        assert steps(folder / place) == new


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_any_moment(seed: int, folder: Path) -> None:
    """Beside the source, where a later run looks for checkpoints too."""
    command = "import sys; from flax2optax.cli import main; sys.exit(main())"
    arguments = ["checkpoint", "-q", "run/checkpoint_3", "run/checkpoint_4", "--optimizer", "adam"]
    child = subprocess.Popen([sys.executable, "-c", command, *arguments])
    deadline = time.monotonic() + 60
    while child.poll() is None and len(os.listdir("run")) == 2 and time.monotonic() < deadline:
        time.sleep(0.001 * seed)
    child.kill()
    child.wait()
    assert (folder / "run" / "checkpoint_3").read_bytes() == data(adam(step=3))
    assert not Path("run/checkpoint_4").exists() or steps(Path("run/checkpoint_4")) == [3]
    Path("run/checkpoint_4").unlink(missing_ok=True)
    assert main(["checkpoint", "-q", "run", "new", "--optimizer", "adam"]) == 0
    assert steps(folder / "new") == [2, 3]


def test_what_came_meanwhile_is_not_replaced(folder: Path) -> None:
    for make in (Path.touch, Path.mkdir):
        new, place = folder / f"new_{make.__name__}", folder / f"place_{make.__name__}"
        make(new)
        make(place)
        with pytest.raises(FileExistsError):
            put_in_place(new, place, force=False)
        put_in_place(new, place, force=True)


@pytest.fixture
def no_swap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from flax2optax.checkpoint import place

    monkeypatch.setattr(place, "_rename", lambda *given: False)
    yield


@pytest.mark.usefixtures("no_swap")
def test_where_the_system_cannot_swap(folder: Path) -> None:
    convert: Any = ["checkpoint", "-q", "run", "new", "--optimizer", "adam"]
    assert main(convert) == 0
    assert main(convert) == 2
    (folder / "new" / "checkpoint_9").touch()
    assert main([*convert, "--force"]) == 0
    assert steps(folder / "new") == [2, 3]
    with pytest.raises(FileExistsError):
        put_in_place(folder / "run", folder / "new", force=False)


def test_a_link_is_replaced_and_not_followed(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "new").symlink_to("mine")
    assert main(["checkpoint", "-q", "run", "new", "--optimizer", "adam", "--force"]) == 0
    assert steps(folder / "new") == [2, 3]
    assert not (folder / "new").is_symlink()
    assert not list((folder / "mine").iterdir())
