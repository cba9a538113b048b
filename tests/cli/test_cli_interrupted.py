"""Interrupted, the program ends with 130; with a reader that has left, in silence."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FAKE = Path(__file__).with_name("fake_pipeline.py")


def test_an_interrupt_is_130(tmp_path: Path) -> None:
    program = "import flax2optax.cli.commands.migrate as m, flax2optax.cli as c, signal, sys\n"
    program += "m.execute = lambda request: signal.raise_signal(signal.SIGINT)\nsys.exit(c.main())"
    (tmp_path / "a.py").write_text("import flax.optim\n")
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True)
    assert ran.returncode == 130
    assert b"Traceback" not in ran.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("flax.optim  # manual\n" * 20_000)
    command = [sys.executable, str(FAKE), "check", "--output-format", "concise", str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as program:  # type: ignore[call-overload]
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""


def test_killed_while_migrating_no_file_is_half(tmp_path: Path) -> None:
    old, new = b"x = flax.optim.A()\n" * 5000, b"x = optax.A()\n" * 5000
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
    for attempt in range(6):
        work = tmp_path / str(attempt)
        work.mkdir()
        for number in range(10):
            (work / f"{number}.py").write_bytes(old)
        command = [sys.executable, str(FAKE), "-q", "."]
        program = subprocess.Popen(command, cwd=work, env=environment, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while (work / "0.py").stat().st_size == len(old) and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(0.002 * attempt)
        program.send_signal(signal.SIGKILL)
        program.communicate()
        assert {path.read_bytes() for path in work.glob("*.py")} <= {old, new}
        assert (work / "0.py").read_bytes() == new
        undone = subprocess.run(
            [sys.executable, str(FAKE), "undo"], cwd=work, env=environment, capture_output=True
        )
        assert undone.returncode == 0, undone.stderr
        assert {path.read_bytes() for path in work.glob("*.py")} == {old}
