"""One file, or several together, exchanged so that nobody ever sees half of it."""

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_DEFERRED = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The real path of a file, the bytes it must have, and the bytes it gets."""

    path: Path
    before: bytes
    after: bytes

    @property
    def changes(self) -> bool:
        """Return whether there is anything to do."""
        return self.before != self.after


class WriteError(Exception):
    """One file of a group could not be exchanged, so none of the group was."""

    def __init__(self, path: Path, reason: str, *, changed: bool = False) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.changed = changed


def replace_all(files: Sequence[Replacement]) -> None:
    """Exchange all the files or none of them. Raises WriteError."""
    with ExitStack() as cleanup:
        staged = [(file, _stage(file, cleanup)) for file in files]
        with signals_deferred():
            _exchange(staged)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let an interrupt wait until the block is done; elsewhere than in the main thread do nothing."""
    caught: list[tuple[int, FrameType | None]] = []
    old: dict[int, object] = {}
    try:
        for number in _DEFERRED:
            old[number] = signal.signal(number, lambda got, frame: caught.append((got, frame)))
    except ValueError:
        pass
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        for number, _ in caught[:1]:
            signal.raise_signal(number)


def _stage(file: Replacement, cleanup: ExitStack) -> str:
    """Write the new bytes to a file beside the target, on disk and with the target's rights."""
    try:
        status = file.path.stat()
        if not os.access(file.path, os.W_OK):
            raise PermissionError(None, "the file is read-only")
        handle, name = tempfile.mkstemp(
            dir=file.path.parent, prefix=f".{file.path.name}.", suffix=".flax2optax"
        )
        cleanup.callback(_remove, name)
        with open(handle, "wb") as temporary:
            temporary.write(file.after)
            temporary.flush()
            _keep_owner(temporary.fileno(), status)
            os.fsync(temporary.fileno())
    except OSError as problem:
        raise WriteError(file.path, problem.strerror or str(problem)) from None
    return name


def _keep_owner(handle: int, status: os.stat_result) -> None:
    """Changing the owner clears some mode bits, so it comes first."""
    if hasattr(os, "fchown"):
        with suppress(OSError):
            os.fchown(handle, status.st_uid, status.st_gid)
    os.chmod(handle, status.st_mode & 0o7777)


def _exchange(staged: Sequence[tuple[Replacement, str]]) -> None:
    for file, _ in staged:
        _check(file)
    done: list[Replacement] = []
    try:
        for file, name in staged:
            os.replace(name, file.path)
            done.append(file)
            _sync_folder(file.path.parent)
    except OSError as problem:
        for earlier in reversed(done):
            replace_all([Replacement(earlier.path, earlier.after, earlier.before)])
        raise WriteError(file.path, problem.strerror or str(problem)) from None


def _check(file: Replacement) -> None:
    try:
        same = file.path.read_bytes() == file.before
    except OSError:
        same = False
    if not same:
        raise WriteError(file.path, "it changed since it was read", changed=True)


def _sync_folder(folder: Path) -> None:
    """Not every system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)
