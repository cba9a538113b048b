"""The two source trees: a folder, a git revision, or a copy that the codemod migrates as a child process."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .outcome import CannotRunError

IGNORED: Final = (".git", "__pycache__", ".venv", "venv", "node_modules")


@dataclass(frozen=True, slots=True)
class Trees:
    """Copies of both sides, and the folder inside of them where the command runs."""

    before: Path
    after: Path
    note: str = ""


@contextmanager
def migrated(path: Path) -> Iterator[Trees]:
    """A copy of a folder, or of the folder of a file, and one that was migrated."""
    if not path.exists():
        raise CannotRunError(f"{path} does not exist.")
    with _folder() as folder:
        source = path if path.is_dir() else path.parent
        before, after = folder / "before", folder / "after"
        for copy in (before, after):
            _copy(source, copy)
        target = after if path.is_dir() else after / path.name
        note = _migrate(target)
        if _texts(before) == _texts(after):
            raise CannotRunError(f"The codemod changes nothing in {path}. {note}".strip())
        yield Trees(before, after, note)


@contextmanager
def given(before: str, after: str, repository: Path) -> Iterator[Trees]:
    """Two trees that exist: folders, or revisions of the repository."""
    with _folder() as folder:
        for side, name in (("before", before), ("after", after)):
            if Path(name).is_dir():
                _copy(Path(name), folder / side)
            else:
                _check_out(name, repository, folder / side)
        yield Trees(folder / "before", folder / "after")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="flax2optax-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*IGNORED))


def _check_out(revision: str, repository: Path, target: Path) -> None:
    command = ["git", "-C", str(repository), "archive", "--format=tar", revision]
    try:
        done = subprocess.run(command, capture_output=True)
    except FileNotFoundError:
        raise CannotRunError(f"{revision} is no folder, and there is no git.") from None
    if done.returncode:
        raise CannotRunError(f"{revision} is neither a folder nor a git revision here.")
    with tempfile.TemporaryFile() as file:
        file.write(done.stdout)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            archive.extractall(target, filter="data")


def _migrate(path: Path) -> str:
    """What the codemod says in its last line."""
    command = [sys.executable, "-m", "flax2optax", "migrate", "--isolated", "--exit-zero"]
    command += ["--allow-dirty", "--no-todo", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CannotRunError(f"The codemod failed: {_last(done.stderr) or _last(done.stdout)}")
    return _last(done.stdout)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _texts(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".py", ".ipynb") and path.is_file()
    }
