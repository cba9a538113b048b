"""A converted checkpoint on disk: wholly there, or not at all.

In: conversions by file name. Out: a file or a folder in its place. Never: half of it, or a change of the source.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from flax import serialization

from .convert import Conversion
from .packing import Progress, pack
from .tree import Array, CheckpointError, Tree, at, numpy_dtype, put

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


def write_file(done: Conversion, place: Path, form: Format, progress: Progress) -> None:
    """Write one checkpoint. Raises CheckpointError."""
    with _staged(place) as folder:
        _write(done, folder / place.name, form, progress)
        _exchange(folder / place.name, place)


def write_folder(
    every: Sequence[tuple[str, Conversion]], place: Path, form: Format, progress: Progress
) -> None:
    """Write several checkpoints into a folder of their own, one after the other. Raises CheckpointError."""
    with _staged(place) as folder:
        inner = folder / place.name
        inner.mkdir()
        for name, done in every:
            _write(done, inner / name, form, progress)
        _exchange(inner, place)


def _write(done: Conversion, place: Path, form: Format, progress: Progress) -> None:
    if form == "orbax":
        _write_orbax(done, place)
        return
    with open(place, "wb") as file:
        pack(done.tree, file, progress)
        file.flush()
        os.fsync(file.fileno())


def _write_orbax(done: Conversion, place: Path) -> None:
    """Orbax tells tuples from dicts, so the state needs the program's own types."""
    import orbax.checkpoint as ocp

    tree = _mapped(done.tree)
    for path, structure in done.structures.items():
        tree = put(tree, path, serialization.from_state_dict(structure, at(tree, path)))

    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(place.resolve(), _mapped(tree))


def _mapped(tree: Tree) -> Any:
    """Arrays as NumPy's that lie in the mapped file, so that only those being written are held."""
    import numpy as np

    if isinstance(tree, dict):
        return {name: _mapped(child) for name, child in tree.items()}
    if isinstance(tree, list):
        return [_mapped(child) for child in tree]
    if not isinstance(tree, Array):
        return tree
    if len(tree.pieces) != 1 or tree.negated or tree.stored:
        return tree.to_numpy()
    (piece,) = tree.pieces
    flat = np.frombuffer(piece.buffer, numpy_dtype(tree.dtype), tree.size, piece.start)
    return flat.reshape(tree.shape)


@contextmanager
def _staged(place: Path) -> Iterator[Path]:
    """A folder beside the place, gone again in the end."""
    try:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as folder:
            yield Path(folder)
    except OSError as problem:
        raise CheckpointError(f"{place} cannot be written: {problem.strerror or problem}") from None


def _exchange(new: Path, place: Path) -> None:
    """Put what is complete in its place; a folder that is there goes into the staging folder first."""
    if new.is_file() and not place.is_dir():
        os.replace(new, place)
    else:
        aside = new.parent / ".replaced"
        if os.path.lexists(place):
            os.rename(place, aside)
        try:
            os.rename(new, place)
        except OSError:
            if os.path.lexists(aside):
                os.rename(aside, place)
            raise
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
    _sync_folder(place.parent)


def _sync_folder(folder: Path) -> None:
    """Not every system lets a folder be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
