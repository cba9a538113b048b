"""A tree of NumPy's arrays that lie in files, for who takes whole arrays.

In: a `Tree` and a scratch file. Out: the tree with arrays of NumPy. Never: an array held in memory.
"""

import mmap
from dataclasses import replace
from typing import Any, BinaryIO

from .tree import Array, Bytes, Path, Tree, leaves, numpy_dtype


def mapped(tree: Tree, scratch: BinaryIO) -> tuple[Any, "set[mmap.mmap]"]:
    """Return the tree and the files that its arrays lie in.

    Arrays whose bytes do not lie as they are needed are written to the scratch file first.
    """
    starts: dict[Path, int] = {}
    for path, leaf in leaves(tree):
        if isinstance(leaf, Array) and not _lies_right(leaf):
            starts[path] = scratch.tell()
            for block in leaf.blocks():
                scratch.write(block)
    scratch.flush()
    kept = mmap.mmap(scratch.fileno(), 0, access=mmap.ACCESS_READ) if scratch.tell() else b""
    pieces = (piece for _, leaf in leaves(tree) if isinstance(leaf, Array) for piece in leaf.pieces)
    files = {
        one for one in (kept, *(piece.buffer for piece in pieces)) if isinstance(one, mmap.mmap)
    }
    return _mapped(tree, (), starts, kept), files


def let_go(files: "set[mmap.mmap]") -> None:
    """Give the memory of what was read back; it is read again where it is needed again."""
    for file in files if hasattr(mmap, "MADV_DONTNEED") else ():
        file.madvise(mmap.MADV_DONTNEED)


def _lies_right(array: Array) -> bool:
    return len(array.pieces) == 1 and not array.negated and array.stored is None


def _mapped(tree: Tree, path: Path, starts: dict[Path, int], kept: bytes | mmap.mmap) -> Any:
    if isinstance(tree, dict):
        return {name: _mapped(child, (*path, name), starts, kept) for name, child in tree.items()}
    if isinstance(tree, list):
        return [_mapped(child, (*path, str(i)), starts, kept) for i, child in enumerate(tree)]
    if not isinstance(tree, Array):
        return tree
    if path in starts:
        tree = replace(tree, pieces=(Bytes(kept, starts[path], tree.nbytes),))
    return _array(tree)


def _array(array: Array) -> Any:
    import numpy as np

    (piece,) = array.pieces
    flat = np.frombuffer(piece.buffer, numpy_dtype(array.dtype), array.size, piece.start)
    return flat.reshape(array.shape)
