"""A state dict that was pickled, read without running anything: only arrays and plain containers are known by name.

In: the bytes of a pickle. Out: a `Tree`. Never: a call of anything that the pickle names, but for the few below.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from .tree import ITEM_SIZES, CheckpointError, Tree, from_numpy, numpy_dtype

MAX_DEPTH: Final = 100
REFUSED: Final = (
    "it is a pickle, and reading a pickle can run any code that its writer put there; "
    "pass --allow-pickle if you trust it (only arrays and plain containers are read then)"
)


def is_pickle(data: bytes) -> bool:
    """Whether bytes look like a pickle; msgpack of flax never begins like this and ends with a full stop."""
    newer = data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return newer or (data[:1] in (b"(", b"c", b"]", b"}") and data[-1:] == b".")


def unpickle(data: bytes) -> Tree:
    """Return the tree that a pickle holds. Raises CheckpointError."""
    try:
        return to_tree(_Unpickler(io.BytesIO(data)).load(), 0)
    except CheckpointError:
        raise
    except Exception as error:
        text = str(error).splitlines()
        reason = f": {text[0][:200]}" if text else ""
        raise CheckpointError(
            f"it is a damaged pickle, or no state dict ({type(error).__name__}{reason})"
        ) from error


def to_tree(value: Any, depth: int = 0) -> Tree:
    """Return a state dict as a tree; arrays are NumPy's or JAX's."""
    if depth > MAX_DEPTH:
        raise CheckpointError("it is nested beyond any checkpoint")
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise CheckpointError("it is no state dict of flax: a field is not named by a text")
        return {str(name): to_tree(child, depth + 1) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [to_tree(child, depth + 1) for child in value]
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
        return from_numpy(value, scalar=isinstance(value, np.generic))
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return value
    raise CheckpointError(f"it is no state dict of flax: it holds {type(value).__name__}")


class _Unpickler(pickle.Unpickler):
    """Knows arrays and containers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name. Raises CheckpointError for any that is not known."""
        known = _KNOWN.get(name)
        if known is not None and module.partition(".")[0] in known[0]:
            return known[1]
        if module == "ml_dtypes" and name in ITEM_SIZES:
            return numpy_dtype(name).type
        raise CheckpointError(f"the pickle asks for {module}.{name}, which no state dict needs")


class _Frozen(dict[str, Any]):
    """A FrozenDict, as its state says or as the dict that it was made of."""

    def __setstate__(self, state: Any) -> None:
        found = state[1] if isinstance(state, tuple) else state
        self.update(found.get("_dict", {}))


def _reconstruct(subtype: Any, shape: Any, code: Any) -> Any:
    """An array without elements, as `ndarray.__reduce__` starts from; its state brings the elements."""
    if subtype is not np.ndarray or tuple(shape) != (0,):
        raise CheckpointError("the pickle makes an array as NumPy does not")
    return np.ndarray((0,), "b")


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> Any:
    return np.frombuffer(data, np.dtype(dtype)).reshape(shape, order=order)


def _scalar(dtype: Any, data: bytes = b"") -> Any:
    dtype = np.dtype(dtype)
    if dtype.name not in ITEM_SIZES or not isinstance(data, bytes):
        raise CheckpointError("the pickle holds a scalar that is no number")
    return np.frombuffer(data, dtype)[0]


def _dtype(name: Any, *rest: Any) -> Any:
    return np.dtype(name)


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
    "ndarray": (_NUMPY, np.ndarray),
    "dtype": (_NUMPY, _dtype),
    "_reconstruct_array": (_JAX, _from_jax),
    "reconstruct_device_array": (_JAX, _from_jax),
    "FrozenDict": (("flax",), _Frozen),
    "OrderedDict": (("collections",), dict),
    "complex": (("builtins", "__builtin__"), complex),
}
