"""What a program did, on disk: every array once, and one line for every optimizer step.

`leaves.bin` holds the bytes of the arrays one after another; `steps.jsonl` names them by offset, type and shape.
An array that was written before is not written again, so a frozen leaf or the replica of a device costs nothing.
Only one step is in memory at a time, on the way in and on the way out.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import ml_dtypes  # noqa: F401  (NumPy learns bfloat16 from it)
import numpy as np
from numpy.typing import NDArray

LEAVES: Final = "leaves.bin"
STEPS: Final = "steps.jsonl"
Array = NDArray[Any]
Ref = tuple[int, str, tuple[int, ...]]
Part = Mapping[str, Ref]
"""The leaves of one tree by `/`-joined path."""


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step, or one thing that a probe yielded: its parts are trees on disk."""

    stream: str
    parts: Mapping[str, Part]
    note: Mapping[str, Any] = field(default_factory=dict)

    def identity(self) -> tuple[Any, ...]:
        """Equal for two steps whose arrays are all the same: the replicas of one step."""
        parts = sorted((name, tuple(sorted(part.items()))) for name, part in self.parts.items())
        return self.stream, tuple(parts)


class Writer:
    """Appends to a recording; what was written survives a kill."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._leaves = (folder / LEAVES).open("ab", buffering=0)
        self._steps = (folder / STEPS).open("a", buffering=1)
        self._known: dict[bytes, Ref] = {}
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is written after this."""
        self._leaves.close()
        self._steps.close()

    def leaf(self, array: Array) -> Ref:
        """The place of an array; the same array has the same place."""
        array = np.asarray(array, order="C")
        data = array.reshape(-1).view(np.uint8).data
        name = _name_of(array.dtype)
        digest = sha256(data)
        digest.update(f"{name}{array.shape}".encode())
        key = digest.digest()
        if key not in self._known:
            self._known[key] = (self._end, name, array.shape)
            self._append(data)
        return self._known[key]

    def _append(self, data: memoryview) -> None:
        """A raw write may take only a part."""
        self._end += len(data)
        while data:
            data = data[self._leaves.write(data) :]

    def part(self, leaves: Mapping[str, Array]) -> Part:
        """One tree."""
        return {path: self.leaf(array) for path, array in leaves.items()}

    def step(self, step: Step) -> None:
        """One line."""
        line = {"stream": step.stream, "parts": step.parts, "note": step.note}
        self._steps.write(json.dumps(line, default=str) + "\n")


class Recording:
    """A recording that is read back, one array at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps = tuple(_read_steps(folder / STEPS))

    def array(self, ref: Ref) -> Array:
        """One array, from disk."""
        offset, name, shape = ref
        dtype = np.dtype(name)
        count = int(np.prod(shape, dtype=np.int64))
        with (self.folder / LEAVES).open("rb") as file:
            file.seek(offset)
            data = file.read(count * dtype.itemsize)
        return np.frombuffer(data, dtype).reshape(shape)

    def tree(self, part: Part) -> dict[str, Array]:
        """One tree."""
        return {path: self.array(ref) for path, ref in part.items()}


def _name_of(dtype: Any) -> str:
    """NumPy's own name is wrong in programs that put back `numpy.bool` as Python's."""
    return "bool" if dtype.kind == "b" else str(dtype.name)


def _read_steps(path: Path) -> Iterator[Step]:
    """A last line that was cut off by a kill is no step."""
    if not path.is_file():
        return
    with path.open() as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            found = json.loads(line)
            parts = {
                name: {key: (ref[0], ref[1], tuple(ref[2])) for key, ref in part.items()}
                for name, part in found["parts"].items()
            }
            yield Step(found["stream"], parts, found["note"])
