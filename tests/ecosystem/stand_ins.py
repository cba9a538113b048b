"""What the packages were written against and today's environment lacks: stand-ins for what their training never runs.

Only the launcher puts these in place; the packages' own sources stay as they are.
"""

import csv
import gzip
import importlib
import io
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import IO, Any
from unittest import mock

import gin
import jax
import numpy as np

ABSENT = (
    "cv2",
    "gym",
    "gym.spaces",
    "gym.spaces.box",
    "tensorflow",
    "tensorflow.compat",
    "tensorflow.compat.v1",
)


class Frame:
    """The little of a pandas table that reading numbers out of a CSV file takes."""

    def __init__(self, rows: list[list[str]]) -> None:
        self.values = np.array([[float(cell) for cell in row] for row in rows])

    def astype(self, dtype: Any) -> "Frame":
        frame = Frame([])
        frame.values = self.values.astype(dtype)
        return frame

    def __getitem__(self, column: int) -> Any:
        return self.values[:, column]


def read_csv(
    file: IO[Any], compression: str | None = None, header: None = None, index_col: int | None = None
) -> Any:
    """`pandas.read_csv`: numbers without a header, or text by column names for the one file with an index."""
    if index_col is not None:
        return {name: name for name in next(csv.reader(file))}
    text = gzip.decompress(file.read()).decode() if compression else file.read()
    return Frame(list(csv.reader(io.StringIO(text))))


def import_modules(names: Iterable[str]) -> None:
    """Import a package's modules with stand-ins for what is absent; afterwards it is absent again.

    Flax and Orbax use TensorFlow where they find it, so they look for it first, and JAX looks whenever it caches.
    """
    give_back_names()
    importlib.import_module("flax.training.checkpoints")
    for name in ABSENT:
        sys.modules[name] = mock.MagicMock(name=name)
    sys.modules["tensorflow"].keras.Model = object  # type: ignore[attr-defined]
    sys.modules["gin.tf"] = gin.tf = gin
    _install_module("pandas", read_csv=read_csv)
    for name in names:
        importlib.import_module(name)
    for name in ABSENT:
        del sys.modules[name]


def give_back_names() -> None:
    """What jax and numpy have dropped since."""
    _install_module("jax.interpreters.xla", DeviceArray=jax.Array)
    jax.interpreters.xla = sys.modules["jax.interpreters.xla"]
    for name in ("tree_map", "tree_multimap", "tree_leaves"):
        setattr(jax, name, getattr(jax.tree_util, name, jax.tree_util.tree_map))
    jax.tree_util.tree_multimap = jax.tree_util.tree_map  # type: ignore[attr-defined]
    np.bool = bool  # type: ignore[misc, assignment]


def _install_module(name: str, **contents: Any) -> None:
    module = ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module
