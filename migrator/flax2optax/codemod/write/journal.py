"""What a run replaced, kept where the user's state is kept, so that it can be put back."""

import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flax2optax.codemod.write.atomic import Replacement

_KEPT = 100
_RECORD = "run.json"


@dataclass(frozen=True, slots=True)
class Journal:
    """An open record. `folder` is None if nothing was written or the state directory is out of reach."""

    folder: Path | None
    record: dict[str, Any]

    @property
    def run(self) -> str | None:
        """The run's name for `undo`."""
        return self.folder.name if self.folder else None

    @classmethod
    def begin(cls, state: Path, files: Sequence[Replacement]) -> "Journal":
        """Note what is about to happen, before it happens."""
        wanted = [file for file in files if file.changes]
        if not wanted:
            return cls(None, {})
        record = {"schema": 1, "folder": os.getcwd(), "finished": False, "undone": False}
        record["files"] = [_entry(index, file) for index, file in enumerate(wanted)]
        name = f"{datetime.now():%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"
        folder = state / "runs" / name
        try:
            folder.mkdir(parents=True, mode=0o700)
            for index, file in enumerate(wanted):
                _save(folder / str(index), file.before)
            _save_record(folder, record)
        except OSError:
            return cls(None, {})
        return cls(folder, record)

    def finish(self, done: Sequence[Path]) -> None:
        """Note what did happen."""
        if self.folder is None:
            return
        written = {str(path) for path in done}
        files = [entry for entry in self.record["files"] if entry["path"] in written]
        if not files:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        with suppress(OSError):
            _save_record(self.folder, self.record | {"files": files, "finished": True})
        for old in sorted(self.folder.parent.iterdir())[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)


def state_folder() -> Path:
    """Return where this user keeps the state of programs."""
    named = os.environ.get("XDG_STATE_HOME") or ""
    if os.path.isabs(named):
        return Path(named) / "flax2optax"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "flax2optax"
    return Path.home() / ".local" / "state" / "flax2optax"


def runs(state: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the runs that can be undone, the newest first. A record that cannot be read is none."""
    folder = state / "runs"
    for run in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        with suppress(OSError, ValueError):
            record = json.loads((run / _RECORD).read_text("utf-8"))
            if not record["undone"]:
                yield run, record


def mark_undone(run: Path, record: dict[str, Any]) -> None:
    """Note that a run was put back."""
    _save_record(run, record | {"undone": True})


def digest(data: bytes) -> str:
    """Return the fingerprint by which a file's state is known again."""
    return hashlib.sha256(data).hexdigest()


def _entry(index: int, file: Replacement) -> dict[str, str]:
    return {
        "path": str(file.path),
        "blob": str(index),
        "before": digest(file.before),
        "after": digest(file.after),
    }


def _save_record(folder: Path, record: dict[str, Any]) -> None:
    draft = folder / f"{_RECORD}.new"
    _save(draft, json.dumps(record, indent=1).encode())
    os.replace(draft, folder / _RECORD)


def _save(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
