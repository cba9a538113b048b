"""A checkpoint as plain data: nested dicts whose leaves are arrays that have not been read yet, or plain values."""

import math
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str, ...]
Tree: TypeAlias = Any
"""A dict by field name, or a list, of trees; else an `Array`, or None, bool, int, float, complex, str or bytes."""

BLOCK: Final = 1 << 23
PAGE: Final = mmap.ALLOCATIONGRANULARITY
ITEM_SIZES: Final[Mapping[str, int]] = {
    "bool": 1,
    **{f"{kind}{8 * size}": size for kind in ("int", "uint") for size in (1, 2, 4, 8)},
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
    **dict.fromkeys(
        ("float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "float8_e4m3fnuz", "float8_e5m2fnuz"), 1
    ),
}  # fmt: skip
"""What flax wrote, and how many bytes one element takes."""


class CheckpointError(Exception):
    """A checkpoint that cannot be read, converted or written; the message says why in a sentence."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A stretch of a buffer; a memory-mapped one is read a block at a time, and let go of again."""

    buffer: "bytes | mmap.mmap"
    start: int
    length: int

    def blocks(self, size: int = BLOCK) -> Iterator[memoryview]:
        """Yield the bytes in blocks; each may be used until the next one is asked for."""
        end = self.start + self.length
        for first in range(self.start, end, size):
            with memoryview(self.buffer) as whole, whole[first : min(first + size, end)] as block:
                yield block
            self._let_go(first, size)

    def _let_go(self, first: int, size: int) -> None:
        if isinstance(self.buffer, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            start = first - first % PAGE
            length = min(first + size, len(self.buffer)) - start
            self.buffer.madvise(mmap.MADV_DONTNEED, start, length)


@dataclass(frozen=True, slots=True)
class Array:
    """An array that lies in a file: its shape, the name of its dtype, and the bytes in row-major order.

    `negated` turns every sign, `stored` is the dtype of the bytes where it is another one; both is done while reading.
    """

    shape: tuple[int, ...]
    dtype: str
    pieces: tuple[Bytes, ...] = field(repr=False)
    scalar: bool = False
    negated: bool = False
    stored: str | None = None

    @property
    def size(self) -> int:
        """Return the number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Return the number of bytes."""
        return self.size * ITEM_SIZES[self.dtype]

    def blocks(self) -> Iterator[memoryview]:
        """Yield the bytes of all pieces, as they should be."""
        changed = self.negated or self.stored is not None
        for piece in self.pieces:
            for block in piece.blocks():
                yield self._change(block) if changed else block

    def cast(self, dtype: str) -> "Array":
        """Return the array in another dtype."""
        return replace(self, dtype=dtype, stored=self.stored or self.dtype)

    def _change(self, block: memoryview) -> memoryview:
        import numpy as np

        values = np.frombuffer(block, numpy_dtype(self.stored or self.dtype))
        values = values.astype(numpy_dtype(self.dtype), copy=not self.negated)
        return (np.negative(values) if self.negated else values).view(np.uint8).data

    def tobytes(self) -> bytes:
        """Return all bytes at once."""
        return b"".join(map(bytes, self.blocks()))

    def to_numpy(self) -> Any:
        """Return the array as NumPy's, which holds all of it."""
        import numpy as np

        return np.frombuffer(bytearray(self.tobytes()), numpy_dtype(self.dtype)).reshape(self.shape)

    def first(self) -> "Array":
        """Return the array without its leading axis, at index 0."""
        shape = self.shape[1:]
        wanted = math.prod(shape) * ITEM_SIZES[self.stored or self.dtype]
        pieces: list[Bytes] = []
        for piece in self.pieces:
            taken = min(wanted, piece.length)
            pieces.append(Bytes(piece.buffer, piece.start, taken))
            wanted -= taken
        return replace(self, shape=shape, pieces=tuple(pieces))


def numpy_dtype(name: str) -> Any:
    """Return NumPy's dtype of a name; the narrow floats come from ml_dtypes."""
    import numpy as np

    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))


def from_numpy(array: Any, *, scalar: bool = False) -> Array:
    """Return an array that NumPy or JAX holds."""
    import numpy as np

    held = np.asarray(array)
    name = held.dtype.name
    if name not in ITEM_SIZES:
        raise CheckpointError(f"an array of dtype {name} is nothing that flax saved")
    native = np.ascontiguousarray(held, held.dtype.newbyteorder("="))
    data = native.tobytes()
    return Array(held.shape, name, (Bytes(data, 0, len(data)),), scalar)


def children(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield what is directly below, by name; an item of a list is named by its index."""
    if isinstance(tree, dict):
        yield from tree.items()
    elif isinstance(tree, list):
        yield from ((str(index), item) for index, item in enumerate(tree))


def leaves(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    """Yield every leaf with its path; an empty dict has none."""
    if not isinstance(tree, dict | list):
        yield path, tree
    for name, child in children(tree):
        yield from leaves(child, (*path, name))


def at(tree: Tree, path: Path) -> Tree:
    """Return what lies at a path. Raises KeyError."""
    for name in path:
        tree = dict(children(tree))[name]
    return tree


def put(tree: Tree, path: Path, value: Tree) -> Tree:
    """Return the tree with another value at a path."""
    if not path:
        return value
    below = dict(children(tree))
    return {**below, path[0]: put(below[path[0]], path[1:], value)}


def held(tree: Tree) -> Any:
    """Return a tree as flax restores from it, of NumPy's arrays."""
    if isinstance(tree, dict | list):
        below = {name: held(child) for name, child in children(tree)}
        return below if isinstance(tree, dict) else list(below.values())
    return tree.to_numpy() if isinstance(tree, Array) else tree


def spell(path: Path) -> str:
    """Return a path as it is printed; what cannot be printed in a name is escaped."""
    names = (name if name.isprintable() else ascii(name)[1:-1] for name in path)
    return "/".join(names) or "(the root)"


def describe(leaf: Tree) -> str:
    """Return shape and dtype of a leaf and what becomes of it, or the plain value."""
    if isinstance(leaf, Array):
        was = f", was {leaf.stored}" if leaf.stored else ""
        return f"{leaf.shape} {leaf.dtype}{was}{', sign turned' if leaf.negated else ''}"
    text = repr(leaf)
    return text if len(text) <= 40 else text[:37] + "..."
