"""Killed at any moment, every file is wholly old or wholly new; several at once never empty one."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

OLD = b"old = 1\n" * 20_000
NEW = b"new = 22\n" * 20_000
COUNT = 12

WRITER = """
import sys
from pathlib import Path
from flax2optax.codemod.outcome import FileChange, FlowSummary
from flax2optax.codemod.source import SourceFile
from flax2optax.codemod.write import write

top = Path(sys.argv[1])
paths = sorted(top.glob("*.py"))
sources = [SourceFile(p, p.name, p.read_bytes(), "", str.encode, top) for p in paths]
changes = [FileChange(one, "new = 22\\n" * 20_000) for one in sources]
print("ready", flush=True)
_, problems = write(changes, [], state=top / "state")
sys.exit(len(problems))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_while_writing(number: signal.Signals, tmp_path: Path) -> None:
    """At least one of the kills must have fallen between the first file and the last."""
    between = 0
    chance = random.Random(7)
    for attempt in range(12):
        top = tmp_path / str(attempt)
        plant(top)
        writer = started(top)
        wait_for_the_first(top)
        time.sleep(chance.uniform(0, 0.02))
        writer.send_signal(number)
        writer.communicate()
        states = {path.read_bytes() for path in top.glob("*.py")}
        assert states <= {OLD, NEW}
        assert len(list(top.glob("*.py"))) == COUNT
        between += len(states) == 2
    assert between > 0


def test_two_at_once(tmp_path: Path) -> None:
    plant(tmp_path)
    writers = [started(tmp_path), started(tmp_path)]
    refused = sorted(writer.wait() for writer in writers)
    for writer in writers:
        writer.communicate()
    assert {path.read_bytes() for path in tmp_path.glob("*.py")} == {NEW}
    assert refused[0] <= COUNT


def plant(top: Path) -> None:
    top.mkdir(exist_ok=True)
    for index in range(COUNT):
        (top / f"{index}.py").write_bytes(OLD)


def started(top: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", WRITER, str(top)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert writer.stdout and writer.stdout.readline() == b"ready\n"
    return writer


def wait_for_the_first(top: Path) -> None:
    for _ in range(10_000):
        if any(path.stat().st_size == len(NEW) for path in top.glob("*.py")):
            return
        time.sleep(0.0005)
        os.sched_yield()
    raise AssertionError("the writer wrote nothing")
