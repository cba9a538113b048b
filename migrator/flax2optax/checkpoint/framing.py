"""The msgpack that flax writes, read without trust: no length is believed, and no array is copied.

In: a buffer. Out: a `Tree`. Never: an allocation by a length that the buffer does not hold.
"""

import mmap
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from .tree import ITEM_SIZES, Array, Bytes, CheckpointError, Tree, at

MAX_VALUES: Final = 200_000
MAX_DEPTH: Final = 100
MAX_TEXT: Final = 1 << 24
MAX_AXES: Final = 64
CHUNKED: Final = "__msgpack_chunked_array__"
NDARRAY, COMPLEX, SCALAR = 1, 2, 3
STATE_FIELDS: Final = {"name", "fields", "values"}
BYTE_ORDERS: Final = {
    f"<{kind}{size}": f"{name}{8 * size}"
    for kind, name in {"i": "int", "u": "uint", "f": "float", "c": "complex"}.items()
    for size in (1, 2, 4, 8, 16)
} | {"|b1": "bool", "|i1": "int8", "|u1": "uint8", "<V2": "bfloat16", "|V2": "bfloat16"}
"""The dtypes as flax 0.1 wrote them."""


def read(buffer: "bytes | mmap.mmap") -> Tree:
    """Return the tree that the whole buffer holds. Raises CheckpointError."""
    reader = _Reader(buffer, 0, len(buffer))
    tree = reader.value(0)
    if reader.position != reader.end:
        raise _corrupt(f"{reader.end - reader.position} bytes follow the last value")
    return tree


class _Reader:
    """Reads one value after the other, between two positions of the buffer."""

    def __init__(self, buffer: "bytes | mmap.mmap", start: int, end: int) -> None:
        self.buffer = buffer
        self.position = start
        self.end = end
        self.values = 0

    def value(self, depth: int) -> Tree:
        """Return the value that begins here."""
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH:
            raise _corrupt("it is nested or branched beyond any checkpoint")
        code = self.take(1)[0]
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 0x100
        if code < 0x90:
            return self.mapping(code & 0x0F, depth)
        if code < 0xA0:
            return self.sequence(code & 0x0F, depth)
        if code < 0xC0:
            return self.text(code & 0x1F)
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _NUMBERS:
            return self.number(_NUMBERS[code])
        if code in _FIXED_EXTENSIONS:
            return self.extension(_FIXED_EXTENSIONS[code], depth)
        if code in _SIZED:
            method, size = _SIZED[code]
            return method(self, int(self.number(size)), depth)
        raise _corrupt(f"no value begins with the byte 0x{code:02x}")

    def take(self, length: int) -> bytes:
        """Return the next bytes; there are never more of them than the buffer holds."""
        start = self.skip(length)
        return self.buffer[start : start + length]

    def skip(self, length: int) -> int:
        """Step over the next bytes and return where they begin."""
        if length > self.end - self.position:
            raise _corrupt(f"it ends {length - (self.end - self.position)} bytes too early")
        start = self.position
        self.position += length
        return start

    def number(self, form: str) -> Any:
        """Return a number of fixed size."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, length: int, depth: int = 0) -> str:
        """Return a string."""
        try:
            return self.raw(length).decode()
        except UnicodeDecodeError:
            raise _corrupt("a name is no text") from None

    def raw(self, length: int, depth: int = 0) -> bytes:
        """Return a short run of bytes."""
        if length > MAX_TEXT:
            raise _corrupt(f"a name or text has {length} bytes")
        return self.take(length)

    def sequence(self, length: int, depth: int) -> list[Tree]:
        """Return a list."""
        self.expect(length)
        return [self.value(depth + 1) for _ in range(length)]

    def mapping(self, length: int, depth: int) -> Tree:
        """Return a dict, or what flax wrote as one: a large array in chunks, a named tuple of flax 0.3 or older."""
        self.expect(2 * length)
        found: dict[str, Tree] = {}
        for _ in range(length):
            name = self.value(depth + 1)
            if not isinstance(name, str) or name in found:
                raise _corrupt("a field has no name, or the name of another one")
            found[name] = self.value(depth + 1)
        if CHUNKED in found:
            return _unchunked(found)
        return _named_tuple(found) if found.keys() == STATE_FIELDS else found

    def expect(self, least: int) -> None:
        """Refuse a count that cannot be true, each value takes a byte at least."""
        if least > self.end - self.position:
            raise _corrupt("it ends too early")

    def extension(self, length: int, depth: int) -> Tree:
        """Return an array, a scalar array or a complex number."""
        kind = self.number(">b")
        start = self.skip(length)
        inner = _Reader(self.buffer, start, start + length)
        if kind in (NDARRAY, SCALAR):
            found: Tree = inner.array(scalar=kind == SCALAR)
        elif kind == COMPLEX:
            found = _complex(inner.value(depth + 1))
        else:
            raise _corrupt(f"flax writes nothing of the extension type {kind}")
        if inner.position != inner.end:
            raise _corrupt("an array is followed by bytes of no use")
        return found

    def array(self, *, scalar: bool) -> Array:
        """Return the array that an extension holds: shape, name of the dtype, bytes."""
        if self.take(1) != b"\x93":
            raise _corrupt("an array is not shape, dtype and bytes")
        shape, name = self.value(MAX_DEPTH - 2), self.value(MAX_DEPTH)
        start, length = self.binary()
        dtype = BYTE_ORDERS.get(name, name) if isinstance(name, str) else name
        if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
            raise _corrupt(f"an array has the dtype {str(name)[:40]!r}")
        found = Array(_shape(shape), dtype, (Bytes(self.buffer, start, length),), scalar)
        if found.nbytes != length:
            raise _corrupt(f"an array of shape {found.shape} and dtype {dtype} has {length} bytes")
        return found

    def binary(self) -> tuple[int, int]:
        """Step over bytes and return where they begin and how many there are."""
        form = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}.get(self.take(1)[0])
        if form is None:
            raise _corrupt("an array has no bytes")
        length = int(self.number(form))
        return self.skip(length), length


_CONSTANTS: Final[Mapping[int, Tree]] = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS: Final = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_FIXED_EXTENSIONS: Final = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_SIZED: Final[Mapping[int, tuple[Callable[[_Reader, int, int], Tree], str]]] = {
    **{code: (_Reader.raw, form) for code, form in ((0xC4, ">B"), (0xC5, ">H"), (0xC6, ">I"))},
    **{code: (_Reader.extension, form) for code, form in ((0xC7, ">B"), (0xC8, ">H"), (0xC9, ">I"))},
    **{code: (_Reader.text, form) for code, form in ((0xD9, ">B"), (0xDA, ">H"), (0xDB, ">I"))},
    0xDC: (_Reader.sequence, ">H"), 0xDD: (_Reader.sequence, ">I"),
    0xDE: (_Reader.mapping, ">H"), 0xDF: (_Reader.mapping, ">I"),
}  # fmt: skip


def _shape(value: Tree) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_AXES:
        raise _corrupt("an array has no shape")
    if not all(type(size) is int and 0 <= size < 1 << 62 for size in value):
        raise _corrupt("an array has a shape that is not made of sizes")
    return tuple(value)


def _complex(value: Tree) -> complex:
    if isinstance(value, list) and len(value) == 2 and all(type(x) in (int, float) for x in value):
        return complex(*value)
    raise _corrupt("a complex number is not two numbers")


def _unchunked(found: dict[str, Tree]) -> Array:
    """An array of more than a gibibyte lies in pieces of one."""
    chunks = _items(found.get("chunks"))
    shape = _shape(_items(found.get("shape")))
    if not chunks or not all(isinstance(chunk, Array) for chunk in chunks):
        raise _corrupt("a large array has no chunks")
    pieces = tuple(piece for chunk in chunks for piece in chunk.pieces)
    whole = Array(shape, chunks[0].dtype, pieces)
    same = all(chunk.dtype == whole.dtype for chunk in chunks)
    if not same or sum(chunk.nbytes for chunk in chunks) != whole.nbytes:
        raise _corrupt(f"the chunks of a large array do not make the shape {shape}")
    return whole


def _named_tuple(found: dict[str, Tree]) -> Tree:
    """Flax 0.3 and older wrote a named tuple as its name, its fields and their values."""
    names, values = _items(found["fields"]), _items(found["values"])
    if not all(isinstance(name, str) for name in names) or len(names) != len(values):
        return found
    return dict(zip(names, values, strict=True))


def _items(value: Tree) -> list[Tree]:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return []
    try:
        return [at(value, (str(index),)) for index in range(len(value))]
    except KeyError:
        return []


def _corrupt(why: str) -> CheckpointError:
    return CheckpointError(f"it is damaged, or no checkpoint of flax: {why}")
