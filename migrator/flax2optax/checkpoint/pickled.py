"""A state dict that was pickled, read without running anything: only arrays and plain containers are known by name.

In: the bytes of a pickle. Out: a `Tree`. Never: a call of anything that the pickle names, but for the few below.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from .framing import MAX_DEPTH, MAX_VALUES
from .tree import ITEM_SIZES, Array, CheckpointError, Tree, from_numpy, numpy_dtype

REFUSED: Final = (
    "it is a pickle, and reading a pickle can run any code that its writer put there; "
    "pass --allow-pickle if you trust it (only arrays and plain containers are read then)"
)
READER: Final[Any] = vars(pickle)["_Unpickler"]
"""The one in Python: the one in C believes the lengths and numbers in a pickle."""
FIRST_OWN_TYPE: Final = 256
"""Types that NumPy does not bring have numbers from here; there is one dtype of each, and it is nobody's to change."""


def is_pickle(data: bytes) -> bool:
    """Whether bytes look like a pickle; msgpack of flax never begins like this and ends with a full stop."""
    newer = data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return newer or (data[:1] in (b"(", b"c", b"]", b"}") and data[-1:] == b".")


def unpickle(data: bytes) -> Tree:
    """Return the tree that a pickle holds. Raises CheckpointError."""
    try:
        return to_tree(_Unpickler(data).load())
    except CheckpointError:
        raise
    except Exception as error:
        text = str(error).splitlines()
        reason = f": {text[0][:200]}" if text else ""
        raise CheckpointError(
            f"it is a damaged pickle, or no state dict ({type(error).__name__}{reason})"
        ) from error


def to_tree(value: Any) -> Tree:
    """Return a state dict as a tree; arrays are NumPy's or JAX's. Raises CheckpointError."""
    return _Copy().tree(value, 0)


class _Copy:
    """Counts what it copies, and copies an array once: a pickle may name one value any number of times."""

    def __init__(self) -> None:
        self.values = 0
        self.arrays: dict[int, tuple[Any, Array]] = {}

    def tree(self, value: Any, depth: int) -> Tree:
        self.values += 1
        if depth > MAX_DEPTH or self.values > MAX_VALUES:
            raise CheckpointError("it is nested or branched beyond any checkpoint")
        if isinstance(value, Mapping):
            if not all(isinstance(name, str) for name in value):
                raise CheckpointError("it is no state dict of flax: a field is not named by a text")
            return {_text(name): self.tree(child, depth + 1) for name, child in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(child, depth + 1) for child in value]
        if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
            return self.array(value)
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, int) and not -1 << 63 <= value < 1 << 64:
            raise CheckpointError("it holds an integer of more than 64 bits")
        if value is None or isinstance(value, bool | int | float | complex | bytes):
            return value
        raise CheckpointError(f"it is no state dict of flax: it holds {type(value).__name__}")

    def array(self, value: Any) -> Array:
        """Return an array; the value is kept, so that its identity stays its own."""
        if id(value) not in self.arrays:
            made = from_numpy(value, scalar=isinstance(value, np.generic))
            self.arrays[id(value)] = value, made
        return self.arrays[id(value)][1]


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise CheckpointError(f"it holds a text that is none: {ascii(value)[:40]}") from None
    return str(value)


class _Unpickler(READER):  # type: ignore[misc]
    """Knows arrays and containers, and nothing else."""

    dispatch: Final = dict(READER.dispatch)

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.length = len(data)

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name. Raises CheckpointError for any that is not known."""
        known = _KNOWN.get(name)
        if known is not None and module.partition(".")[0] in known[0]:
            return known[1]
        if module == "ml_dtypes" and name in ITEM_SIZES:
            return numpy_dtype(name).type
        raise CheckpointError(f"the pickle asks for {module}.{name}, which no state dict needs")

    def load_byte_array(self) -> None:
        """Python's own makes room for as many bytes as the pickle says."""
        length = int.from_bytes(self.read(8), "little")
        if length > self.length:
            raise CheckpointError("it is a damaged pickle: it ends too early")
        self.append(bytearray(self.read(length)))

    dispatch[pickle.BYTEARRAY8[0]] = load_byte_array

    def load_build(self) -> None:
        """Python's own sets any attribute of anything, and NumPy believes any state of a dtype."""
        made, state = self.stack[-2:]
        if isinstance(made, np.dtype):
            self.stack.pop()
            _set_byte_order(made, state[1])
        elif isinstance(made, np.ndarray | _Frozen):
            super().load_build()
        else:
            raise CheckpointError("the pickle sets the state of what has none")

    dispatch[pickle.BUILD[0]] = load_build


class _Frozen(dict[str, Any]):
    """A FrozenDict, as its state says or as the dict that it was made of."""

    def __setstate__(self, state: Any) -> None:
        found = state[1] if isinstance(state, tuple) else state
        self.update(found.get("_dict", {}))


_NDARRAY: Final = object()
"""What NumPy's class is here: to be named, not to be called."""


def _reconstruct(subtype: Any, shape: Any, code: Any) -> Any:
    """An array without elements, as `ndarray.__reduce__` starts from; its state brings the elements."""
    if subtype is not _NDARRAY or tuple(shape) != (0,):
        raise CheckpointError("the pickle makes an array as NumPy does not")
    return np.ndarray((0,), "b")


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> Any:
    return np.frombuffer(data, np.dtype(dtype)).reshape(shape, order=order)


def _scalar(dtype: Any, data: bytes = b"") -> Any:
    dtype = np.dtype(dtype)
    if dtype.name not in ITEM_SIZES or not isinstance(data, bytes):
        raise CheckpointError("the pickle holds a scalar that is no number")
    return np.frombuffer(data, dtype)[0]


def _encode(text: str, codec: str) -> bytes:
    """Bytes, as the older pickles spell them."""
    if codec != "latin1":
        raise CheckpointError("the pickle spells bytes as Python does not")
    return text.encode(codec)


def _no_bytes() -> bytes:
    """No bytes, as the older pickles spell them; with a number it would make as many."""
    return b""


def _dtype(name: Any, align: Any = False, copy: Any = True) -> Any:
    """A dtype of its own: what is set next, its byte order, would be ignored on NumPy's own."""
    made = np.dtype(name)
    if made.name not in ITEM_SIZES:
        raise CheckpointError(f"an array of dtype {made.name} is nothing that flax saved")
    return np.dtype(made, copy=True)


def _set_byte_order(dtype: Any, order: Any) -> None:
    """Of all that the state of a dtype may say only this is kept."""
    own = dtype.num >= FIRST_OWN_TYPE
    if order not in ("<", ">", "=", "|") or (own and order == ">"):
        raise CheckpointError("the pickle makes a dtype as NumPy does not")
    if not own:
        dtype.__setstate__((3, order, None, None, None, -1, -1, 0))


def _from_jax(make: Callable[..., Any], arguments: Any, state: Any, *rest: Any) -> Any:
    """What JAX's arrays pickle as: a NumPy array, in parts."""
    if make is not _reconstruct:
        raise CheckpointError("the pickle makes an array as JAX does not")
    array = make(*arguments)
    array.__setstate__(state)
    return array


_NUMPY: Final = ("numpy",)
_JAX: Final = ("jax", "jaxlib")
_KNOWN: Final[Mapping[str, tuple[tuple[str, ...], Any]]] = {
    "_reconstruct": (_NUMPY, _reconstruct),
    "_frombuffer": (_NUMPY, _frombuffer),
    "scalar": (_NUMPY, _scalar),
    "ndarray": (_NUMPY, _NDARRAY),
    "dtype": (_NUMPY, _dtype),
    "_reconstruct_array": (_JAX, _from_jax),
    "reconstruct_device_array": (_JAX, _from_jax),
    "FrozenDict": (("flax",), _Frozen),
    "OrderedDict": (("collections",), dict),
    "encode": (("_codecs",), _encode),
    "bytes": (("builtins", "__builtin__"), _no_bytes),
    "complex": (("builtins", "__builtin__"), complex),
}
