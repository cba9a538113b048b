"""The msgpack that today's flax reads, written a block at a time.

In: a `Tree` and a file. Out: the same bytes that `flax.serialization.msgpack_serialize` makes. Never: a whole array in memory.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

from .framing import CHUNKED, COMPLEX, NDARRAY, SCALAR
from .tree import BLOCK, ITEM_SIZES, Array, Tree

MAX_CHUNK: Final = 1 << 30
Progress = Callable[[int], None]


def pack(tree: Tree, file: BinaryIO, progress: Progress = lambda done: None) -> None:
    """Write a tree; `progress` is told of the bytes of arrays that are done."""
    if isinstance(tree, dict):
        file.write(_header(len(tree), 0x80, 16, (None, ">BH", ">BI"), 0xDE - 1))
        for name, child in tree.items():
            file.write(_text(name))
            pack(child, file, progress)
    elif isinstance(tree, list):
        file.write(_header(len(tree), 0x90, 16, (None, ">BH", ">BI"), 0xDC - 1))
        for child in tree:
            pack(child, file, progress)
    elif isinstance(tree, Array):
        _array(tree, file, progress)
    else:
        file.write(_plain(tree))


def _array(array: Array, file: BinaryIO, progress: Progress) -> None:
    if array.nbytes > MAX_CHUNK:
        _chunked(array, file, progress)
        return
    file.write(_array_header(array.shape, array.dtype, array.nbytes, scalar=array.scalar))
    for block in array.blocks():
        file.write(block)
        progress(len(block))


def _chunked(array: Array, file: BinaryIO, progress: Progress) -> None:
    """Flax cuts arrays beyond a gibibyte into flat ones, as msgpack has no larger values."""
    file.write(b"\x83" + _text(CHUNKED) + b"\xc3" + _text("shape"))
    pack({str(axis): size for axis, size in enumerate(array.shape)}, file)
    size = ITEM_SIZES[array.dtype]
    chunk = MAX_CHUNK // size * size
    starts = range(0, array.nbytes, chunk)
    file.write(_text("chunks") + _header(len(starts), 0x80, 16, (None, ">BH", ">BI"), 0xDE - 1))
    blocks = _Stream(array.blocks())
    for number, start in enumerate(starts):
        length = min(chunk, array.nbytes - start)
        file.write(_text(str(number)) + _array_header((length // size,), array.dtype, length))
        for block in blocks.take(length):
            file.write(block)
            progress(len(block))


class _Stream:
    """Blocks, cut anew."""

    def __init__(self, blocks: Iterator[memoryview]) -> None:
        self.blocks = blocks
        self.rest = b""

    def take(self, length: int) -> Iterator[bytes | memoryview]:
        """Yield the next `length` bytes. A block is no longer valid when the next one is asked for."""
        while length:
            block: bytes | memoryview = self.rest or next(self.blocks)
            used = min(len(block), length)
            self.rest = bytes(block[used:])
            yield block[:used]
            length -= used


def _array_header(
    shape: tuple[int, ...], dtype: str, nbytes: int, *, scalar: bool = False
) -> bytes:
    """Everything before the bytes of an array."""
    sizes = b"".join(_plain(size) for size in shape)
    inner = b"\x93" + _header(len(shape), 0x90, 16, (None, ">BH", ">BI"), 0xDC - 1) + sizes
    inner += _text(dtype) + _header(nbytes, 0, 0, (">BB", ">BH", ">BI"), 0xC4)
    kind = SCALAR if scalar else NDARRAY
    return _extension_header(len(inner) + nbytes, kind) + inner


def _extension_header(length: int, kind: int) -> bytes:
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(length)
    if fixed is not None:
        return struct.pack(">Bb", fixed, kind)
    return _header(length, 0, 0, (">BB", ">BH", ">BI"), 0xC7) + struct.pack(">b", kind)


def _text(text: str) -> bytes:
    data = text.encode()
    return _header(len(data), 0xA0, 32, (">BB", ">BH", ">BI"), 0xD9) + data


def _header(
    length: int, fixed: int, limit: int, forms: tuple[str | None, str, str], code: int
) -> bytes:
    """The shortest form that a length fits in, as msgpack's own packer does."""
    if length < limit:
        return bytes([fixed | length])
    for offset, (form, most) in enumerate(zip(forms, (1 << 8, 1 << 16, 1 << 32), strict=True)):
        if form is not None and length < most:
            return struct.pack(form, code + offset, length)
    raise ValueError(f"msgpack has no length of {length}")


def _plain(value: Any) -> bytes:
    """A value that is no array."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, complex):
        inner = b"\x92" + _plain(value.real) + _plain(value.imag)
        return _extension_header(len(inner), COMPLEX) + inner
    if isinstance(value, str):
        return _text(value)
    return _header(len(value), 0, 0, (">BB", ">BH", ">BI"), 0xC4) + bytes(value)


def _integer(value: int) -> bytes:
    if 0 <= value < 0x80:
        return bytes([value])
    if -0x20 <= value < 0:
        return struct.pack(">b", value)
    codes, forms = (0xCC, "BHIQ") if value > 0 else (0xD0, "bhiq")
    for offset, form in enumerate(forms):
        try:
            return struct.pack(f">B{form}", codes + offset, value)
        except struct.error:
            continue
    raise ValueError(f"msgpack has no integer {value}")


__all__ = ["BLOCK", "MAX_CHUNK", "Progress", "pack"]
