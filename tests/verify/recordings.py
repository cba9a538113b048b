"""Small recordings written by hand, as the recorder of a program would write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flax2optax.verify.recording import Recording, Step, Writer

Tree = Mapping[str, Any]
LR = 0.1


def flax_step(number: int, params: Tree, grads: Tree, new: Tree, **more: Any) -> dict[str, Any]:
    state = more.get("state", {})
    parts = {"params": params, "grads": grads, "new_params": new}
    parts["state"] = {"step": np.int32(number), **{k: v * 0 for k, v in state.items()}}
    parts["new_state"] = {"step": np.int32(number + 1), **state}
    parts["hyper"] = {"learning_rate": np.float64(LR), **more.get("hyper", {})}
    return parts


def optax_step(number: int, params: Tree, grads: Tree, new: Tree, **more: Any) -> dict[str, Any]:
    state = more.get("state", {})
    parts = {"params": params, "grads": grads, "new_params": new}
    parts["updates"] = parts["applied"] = {key: new[key] - params[key] for key in params}
    parts["state"] = {"0/count": np.int32(number), **{k: v * 0 for k, v in state.items()}}
    parts["new_state"] = {"0/count": np.int32(number + 1), **state}
    return parts


def written(
    folder: Path, steps: Sequence[Mapping[str, Tree]], optimizer: str = "", stream: str = "s"
) -> Recording:
    with Writer(folder) as writer:
        for parts in steps:
            trees = {
                name: writer.part({k: np.asarray(v) for k, v in tree.items()})
                for name, tree in parts.items()
            }
            writer.step(Step(stream, trees, {"optimizer": optimizer}))
    return Recording(folder)
