"""Which files SRC means, and what is in them.

In: the name of a file or a folder. Out: a `Tree` for each checkpoint. Never: a write, or a file held in memory.
"""

import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import framing
from .tree import CheckpointError, Tree

PREFIX: Final = "checkpoint_"
NUMBERED: Final = re.compile(
    r"(?P<prefix>.*?)(?P<step>(?:(?<![^\W_])-)?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
)
"""A dash behind a letter or a number joins the two, as in `ckpt-20`; elsewhere it is a sign."""
ORBAX: Final = ("_CHECKPOINT_METADATA", "_METADATA", "manifest.ocdbt")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which checkpoints of a folder are meant, and whether pickles are read."""

    prefix: str | None = None
    step: str | None = None
    allow_pickle: bool = False


def checkpoint_files(source: Path, selection: Selection) -> list[Path]:
    """Return the checkpoints of a folder in order, or the file itself. Raises CheckpointError."""
    if not source.exists():
        raise CheckpointError(f"{source} does not exist")
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise CheckpointError(f"{source} is no file and no folder")
    if any((source / name).exists() for name in ORBAX):
        raise CheckpointError(f"{source} is an Orbax checkpoint; flax.optim never wrote one")
    prefix = selection.prefix or _prefix(source)
    found = [(step, file) for file in _files(source) if (step := _step(file, prefix)) is not None]
    if selection.step is not None:
        found = [(step, file) for step, file in found if step == float(selection.step)]
    if not found:
        at = "" if selection.step is None else f" at step {selection.step}"
        raise CheckpointError(f"{source} holds no checkpoint {prefix}…{at}")
    return [file for _, file in sorted(found)]


def read_checkpoint(file: Path, *, allow_pickle: bool = False) -> Tree:
    """Return the tree of one file; its arrays are read when they are needed. Raises CheckpointError."""
    try:
        buffer = _map(file)
        return _read(buffer, allow_pickle)
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from error.__cause__
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror or error}") from None


def _map(file: Path) -> mmap.mmap:
    with open(file, "rb") as opened:
        if not file.stat().st_size:
            raise CheckpointError("it is empty")
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def _read(buffer: mmap.mmap, allow_pickle: bool) -> Tree:
    from . import pickled

    if not pickled.is_pickle(buffer[:2] + buffer[-1:]):
        return framing.read(buffer)
    if not allow_pickle:
        raise CheckpointError(pickled.REFUSED)
    return pickled.unpickle(buffer[:])


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.is_file()]


def _step(file: Path, prefix: str) -> float | None:
    """The number behind the prefix; the file that a killed run was writing has none."""
    rest = file.name.removeprefix(prefix)
    match = NUMBERED.fullmatch(rest.removeprefix("-") if prefix[-1:].isalnum() else rest)
    if not file.name.startswith(prefix) or match is None or match["prefix"]:
        return None
    return float(match["step"])


def _prefix(folder: Path) -> str:
    """The prefix that the files have; flax's own if there is one of that name."""
    matches = [NUMBERED.fullmatch(file.name) for file in _files(folder)]
    found = {match["prefix"] for match in matches if match}
    if PREFIX in found or not found:
        return PREFIX
    if len(found) > 1:
        names = ", ".join(sorted(f"{prefix}…" for prefix in found))
        raise CheckpointError(
            f"{folder} holds several series of checkpoints, {names}: name one by --prefix"
        )
    return found.pop()
