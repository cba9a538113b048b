"""Puts back the bytes that a run replaced, all of them or none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flax2optax.codemod.write.atomic import Replacement, WriteError, replace_all
from flax2optax.codemod.write.journal import digest, mark_undone, runs


class UndoError(Exception):
    """Nothing was put back; the message says why."""


@dataclass(frozen=True, slots=True)
class Undone:
    """The run that was put back, and its files."""

    run: str
    files: tuple[Path, ...]


def undo(state: Path, here: Path, run: str | None = None) -> Undone:
    """Put back one run: the named one, or the newest that wrote below the folder `here`. Raises UndoError."""
    folder, record = _find(state, here, run)
    files = [_restored(folder, entry) for entry in record["files"]]
    wanted = [file for file in files if file.changes]
    try:
        replace_all(wanted)
        mark_undone(folder, record)
    except (WriteError, OSError) as problem:
        raise UndoError(str(problem)) from None
    return Undone(folder.name, tuple(file.path for file in wanted))


def _find(state: Path, here: Path, run: str | None) -> tuple[Path, dict[str, Any]]:
    for folder, record in runs(state):
        if folder.name == run or (run is None and _is_below(record, here)):
            return folder, record
    raise UndoError(f"no run named {run}" if run else f"no run has written below {here}")


def _is_below(record: dict[str, Any], here: Path) -> bool:
    return any(Path(entry["path"]).is_relative_to(here) for entry in record["files"])


def _restored(folder: Path, entry: dict[str, str]) -> Replacement:
    """A file that a killed run did not come to is left as it is."""
    path = Path(entry["path"])
    try:
        before, now = (folder / entry["blob"]).read_bytes(), path.read_bytes()
    except OSError as problem:
        raise UndoError(f"{path}: {problem.strerror}") from None
    if digest(now) not in (entry["before"], entry["after"]):
        raise UndoError(f"{path}: it changed since the run wrote it; nothing was put back")
    return Replacement(path, now, before)
