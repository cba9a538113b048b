"""What one child process is asked to do: plain data in a JSON file that an environment variable names."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

VARIABLE: Final = "FLAX2OPTAX_TASK"


@dataclass(frozen=True, slots=True)
class Task:
    """`side` is before or after; `limits` are raw steps per stream; `against` is the recording to replay.

    `cache` is where JAX keeps what it compiled, so that the next run of the same program need not.
    """

    side: str
    folder: str
    wheel: str = ""
    steps: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    x64: bool = False
    seed: int = 0
    jumps: dict[int, int] = field(default_factory=dict)
    light: bool = False
    replay: bool = False
    against: str = ""
    cache: str = ""


def write_task(task: Task, path: Path) -> None:
    """For the child to read."""
    path.write_text(json.dumps(asdict(task)))


def read_task(path: Path | None = None) -> Task:
    """The task in a file, or that of this process."""
    found = json.loads((path or Path(os.environ[VARIABLE])).read_text())
    found["jumps"] = {int(old): new for old, new in found["jumps"].items()}
    return Task(**found)
