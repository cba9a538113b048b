"""The state that a transformation begins with for the parameters of an old optimizer.

In: an `OldOptimizer` and a transformation. Out: shapes and dtypes, in the structure that the program has. Never: an array held.
"""

from contextlib import nullcontext
from typing import Any, Final

import jax
import numpy as np

from .detect import OldOptimizer
from .tree import Array, CheckpointError, Path, Tree, children, from_numpy, numpy_dtype, spell

SHAPE: Final[Any] = jax.ShapeDtypeStruct


def param_shapes(old: OldOptimizer) -> Any:
    """Return the parameters as `tx.init` takes them, without the axes of replicas. Raises CheckpointError."""
    return _shapes(old, old.target, (*old.path, "target"))


def init(tx: Any, params: Any, old: OldOptimizer) -> Any:
    """Return the state for the parameters. Raises CheckpointError if there is none."""
    if tx is None:
        kinds = "; ".join(old.kinds())
        raise CheckpointError(
            f"{spell(old.path)} is {kinds}: name the transformation, the template or the optimizer"
        )
    wide = any(
        np.dtype(leaf.dtype).name in ("float64", "int64") for leaf in jax.tree.leaves(params)
    )
    try:
        with jax.enable_x64(True) if wide else nullcontext():
            return jax.eval_shape(tx.init, params)
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise CheckpointError(
            f"the transformation of {spell(old.path)} does not take its parameters: "
            f"{type(error).__name__}{': ' + reason[0] if reason else ''}"
        ) from error


def small(leaf: Any) -> Any:
    """Return ones of the same dtype and number of axes."""
    return np.ones([min(size, 2) for size in leaf.shape], leaf.dtype)


def _shapes(old: OldOptimizer, tree: Tree, path: Path) -> Any:
    """Modules without parameters stay: the state has them too."""
    if isinstance(tree, dict | list):
        return {name: _shapes(old, child, (*path, name)) for name, child in children(tree)}
    return None if tree is None else _shape(old, tree, path)


def _shape(old: OldOptimizer, leaf: Tree, path: Path) -> Any:
    if isinstance(leaf, str | bytes):
        raise CheckpointError(f"{spell(path)} is no parameter but {leaf[:40]!r}")
    held = leaf if isinstance(leaf, Array) else from_numpy(np.asarray(leaf))
    count = len(old.lead)
    if held.shape[:count] != old.lead:
        raise CheckpointError(
            f"{spell(path)} has the shape {held.shape}, "
            f"but the step says that there are {old.lead} replicas"
        )
    return SHAPE(held.shape[count:], numpy_dtype(held.dtype))
