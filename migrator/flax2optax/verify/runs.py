"""Runs the user's command with the recorder, one child process per run."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from .child.task import VARIABLE, Task, write_task
from .outcome import SAID, CannotRunError, Outcome, read_told

PACKAGES: Final = Path(__file__).parents[2]
HOOK: Final = Path(__file__).parent / "child" / "hook"
NOT_FOUND: Final = 127


@dataclass(frozen=True, slots=True)
class Command:
    """What the user runs, and on what."""

    words: Sequence[str]
    python: str = sys.executable
    platform: str = ""
    devices: int = 0
    seconds: float = 0
    environment: Mapping[str, str] = field(default_factory=dict)


def run(command: Command, tree: Path, task: Task, name: str) -> Outcome:
    """Run it in a tree until it ends by itself or has made the steps that the task wants."""
    folder = Path(task.folder)
    folder.mkdir(parents=True)
    task_file = folder / "task.json"
    write_task(task, task_file)
    log = folder / "log.txt"
    begun = time.monotonic()
    with log.open("wb") as output:
        code = _call(command, tree, _environment(command, task, task_file), output.fileno())
    said = log.read_text("utf-8", "replace").splitlines()[-SAID:]
    seconds = time.monotonic() - begun
    return Outcome(name, folder, code, seconds, said, read_told(folder))


def after_task(task: Task, before: Outcome) -> Task:
    """The same for the other side: as many raw steps as before, if it was stopped."""
    limits = before.steps if task.steps else {}
    return replace(task, side="after", steps=0, limits=limits)


def _call(command: Command, tree: Path, environment: Mapping[str, str], output: int) -> int:
    words = list(command.words)
    if words[0] in ("python", "python3"):
        words[0] = command.python
    try:
        done = subprocess.run(
            words,
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=command.seconds or None,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as problem:
        os.write(output, f"{words[0]}: {problem.strerror}\n".encode())
        return NOT_FOUND
    except subprocess.TimeoutExpired:
        raise CannotRunError(
            f"The command did not end within {command.seconds:g} seconds; give it `--steps`."
        ) from None
    return done.returncode


def _environment(command: Command, task: Task, task_file: Path) -> dict[str, str]:
    found = {**os.environ, **command.environment}
    found[VARIABLE] = str(task_file)
    found["FLAX2OPTAX_HOME"] = str(PACKAGES)
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HOOK), found.get("PYTHONPATH")]))
    found["PYTHONDONTWRITEBYTECODE"] = "1"
    found.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if task.x64:
        found["JAX_ENABLE_X64"] = "1"
    if task.cache:
        found.setdefault("JAX_COMPILATION_CACHE_DIR", task.cache)
        found.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        found.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    if command.platform:
        found["JAX_PLATFORMS"] = {"gpu": "cuda"}.get(command.platform, command.platform)
    if command.devices:
        flag = f"--xla_force_host_platform_device_count={command.devices}"
        found["XLA_FLAGS"] = f"{found.get('XLA_FLAGS', '')} {flag}".strip()
    return found
