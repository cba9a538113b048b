"""An Orbax checkpoint, written one leaf after the other.

In: a `Conversion` and a place. Out: the folder that Orbax makes. Never: more than one leaf of it at work.
"""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np
import orbax.checkpoint as ocp
from flax import serialization
from orbax.checkpoint import future, type_handlers

from .convert import Conversion
from .mapped import let_go, mapped
from .tree import Array, CheckpointError, Tree, at, leaves, put, spell

CHUNK: Final = 1 << 24
"""Orbax holds a leaf several times over while it packs it as one chunk."""
Start = Callable[[], Coroutine[Any, Any, Sequence[Any]]]


def write_orbax(done: Conversion, place: Path) -> None:
    """Write a checkpoint with the types of the program's state: Orbax tells tuples from dicts. Raises CheckpointError."""
    _refuse_what_orbax_does(done.tree)
    with tempfile.TemporaryFile(dir=place.parent) as scratch:
        tree, files = mapped(done.tree, scratch)
        for path, structure in done.structures.items():
            tree = put(tree, path, serialization.from_state_dict(structure, at(tree, path)))
        handler = ocp.PyTreeCheckpointHandler(
            type_handler_registry=_registry(lambda: let_go(files))
        )
        with ocp.Checkpointer(handler) as checkpointer:
            checkpointer.save(place.resolve(), tree)


class _InTurn(future.Future):  # type: ignore[misc]
    """Starts each write when the one before is done and let go."""

    def __init__(self, starts: Iterable[Start], let_go: Callable[[], None]) -> None:
        self.starts = starts
        self.let_go = let_go

    def result(self, timeout: float | None = None) -> None:
        """Wait for all writes, in a thread of its own as Orbax waits within an event loop."""
        with ThreadPoolExecutor(1) as thread:
            for start in self.starts:
                thread.submit(_run, start, timeout).result()
                self.let_go()


class _OneByOne(type_handlers.NumpyHandler):  # type: ignore[misc]
    """Orbax's own copies every array and then writes all of them at once."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        super().__init__(deepcopy_host_arrays=False)
        self.let_go = let_go

    async def serialize(
        self, values: Sequence[Any], infos: Sequence[Any], args: Sequence[Any] | None = None
    ) -> Sequence[Any]:
        """Return the one future that writes them all."""
        whole = super().serialize

        def start(*one: Any) -> Start:
            return lambda: whole(*([part] for part in one))

        given = args or [ocp.SaveArgs()] * len(values)
        given = [replace(one, chunk_byte_size=CHUNK) for one in given]
        starts = [start(*one) for one in zip(values, infos, given, strict=True)]
        return [_InTurn(starts, self.let_go)]


def _run(start: Start, timeout: float | None) -> None:
    for writing in asyncio.run(start()):
        writing.result(timeout)


def _registry(let_go: Callable[[], None]) -> Any:
    scalars = type_handlers.ScalarHandler()
    return type_handlers.create_type_handler_registry(
        (int, scalars),
        (float, scalars),
        (str, type_handlers.StringHandler()),
        (np.ndarray, _OneByOne(let_go)),
        (jax.Array, type_handlers.ArrayHandler()),
    )


def _refuse_what_orbax_does(tree: Tree) -> None:
    for path, leaf in leaves(tree):
        what = {bytes: "bytes", complex: "complex numbers"}.get(type(leaf))
        if isinstance(leaf, Array) and not leaf.size:
            what = "arrays without elements"
        if what:
            raise CheckpointError(f"{spell(path)}: Orbax takes no {what}; use --to msgpack")
