"""A converted checkpoint on disk: wholly there, or not at all.

In: conversions by file name. Out: a file or a folder in its place. Never: half of it, or a change of the source.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from .convert import Conversion
from .packing import Progress, pack
from .place import put_in_place, sync_file, sync_folder
from .tree import CheckpointError

Format = Literal["msgpack", "orbax"]
FORMATS: Final[tuple[Format, ...]] = ("msgpack", "orbax")


def check_place(source: Path, place: Path, *, force: bool) -> None:
    """Refuse a place that is taken, or that is the source. Raises CheckpointError."""
    old, new = source.resolve(), place.resolve()
    if new == old or new.is_relative_to(old) or old.is_relative_to(new):
        raise CheckpointError(
            f"{place} lies in {source} or holds it, and the source is never touched"
        )
    if not new.parent.is_dir():
        raise CheckpointError(f"the folder of {place} does not exist")
    if os.path.lexists(place) and not force:
        raise CheckpointError(f"{place} exists already; pass --force to replace it")


def write_file(
    done: Conversion, place: Path, form: Format, progress: Progress, *, force: bool
) -> None:
    """Write one checkpoint. Raises CheckpointError."""
    with _staged(place) as folder:
        _write(done, folder / place.name, form, progress)
        put_in_place(folder / place.name, place, force=force)


def write_folder(
    every: Iterable[tuple[str, Conversion]],
    place: Path,
    form: Format,
    progress: Progress,
    *,
    force: bool,
) -> None:
    """Write several checkpoints into a folder of their own, one after the other. Raises CheckpointError."""
    with _staged(place) as folder:
        inner = folder / place.name
        inner.mkdir()
        for name, done in every:
            _write(done, inner / name, form, progress)
        sync_folder(inner)
        put_in_place(inner, place, force=force)


def _write(done: Conversion, place: Path, form: Format, progress: Progress) -> None:
    if form == "orbax":
        from .orbax_format import write_orbax

        write_orbax(done, place)
        _sync(place)
        progress(done.nbytes)
        return
    with open(place, "wb") as file:
        pack(done.tree, file, progress)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _staged(place: Path) -> Iterator[Path]:
    """A folder beside the place, gone again in the end."""
    try:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as folder:
            yield Path(folder)
    except OSError as problem:
        raise CheckpointError(f"{place} cannot be written: {problem.strerror or problem}") from None


def _sync(top: Path) -> None:
    for folder, _, names in os.walk(top):
        for name in names:
            sync_file(Path(folder, name))
        sync_folder(Path(folder))
