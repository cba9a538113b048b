"""Teacher forcing: one step at a time from what the program before recorded, in float64, whatever it ran in.

The process before steps the real flax.optim again from its own recording, and from inputs disturbed by rounding.
The process after steps its transformation from the same inputs and says how far the results are apart.
"""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from ..pairing import Pair, folded, pair
from ..precision import disturb
from ..recording import Array, Recording, Step, Writer
from ..states import is_counter
from ..verdict import LIMIT, measure_step
from .sites import path_of
from .task import Task

FOLDER: Final = "replayed"
CONTROLS: Final = (1, 2, 3)
FINFO: Final[Any] = jnp.finfo
SAME_RATE: Final = 64


class CannotReplayError(Exception):
    """The message says why."""


def replay(task: Task, places: Mapping[str, Any]) -> dict[str, Any]:
    """Before: write the results. After: compare with them."""
    with _double_precision():
        if task.side == "before":
            return _before(task, places)
        return _after(task, places)


def _double_precision() -> Any:
    """Before jax 0.8 it was experimental."""
    module: Any = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
    return module.enable_x64(True)


def _before(task: Task, places: Mapping[str, Any]) -> dict[str, Any]:
    recording = Recording(Path(task.folder))
    folders = [Path(task.folder) / f"{FOLDER}{seed}" for seed in (0, *CONTROLS)]
    steps = {name: _flax_step(place) for name, place in places.items()}
    for seed, folder in zip((0, *CONTROLS), folders, strict=True):
        with Writer(folder) as writer:
            for step in _unfolded(recording):
                found = steps[step.note["place"]](_inputs(recording, step, seed))
                parts = {name: writer.part(one) for name, one in found.items()}
                writer.step(Step(step.stream, parts))
    return {}


def _after(task: Task, places: Mapping[str, Any]) -> dict[str, Any]:
    before, after = Recording(Path(task.against)), Recording(Path(task.folder))
    results = [Recording(before.folder / f"{FOLDER}{seed}") for seed in (0, *CONTROLS)]
    place = {step.identity(): at for at, step in enumerate(_unfolded(before))}
    told = []
    for one in pair(before, after):
        replayed = _Replayed(one, before, after, places)
        for number, (old, new) in enumerate(zip(one.before, one.after, strict=True), start=1):
            found = replayed.step(old, new)
            base, *controls = (
                _named(one, run, run.steps[place[old.identity()]]) for run in results
            )
            scales: dict[str, float] = {}
            told += [
                {"stream": one.stream, "step": number, "leaf": verdict.leaf, "ratio": verdict.ratio}
                | {"detail": verdict.detail}
                for verdict in measure_step(number, base, controls, found, scales)
                if verdict.ratio
            ]
    return {"limit": LIMIT, "steps": len(place), "found": told}


class _Replayed:
    """The transformations of one chain of steps, each compiled once."""

    def __init__(
        self, one: Pair, before: Recording, after: Recording, places: Mapping[str, Any]
    ) -> None:
        self.pair, self.before, self.after, self.places = one, before, after, places
        self.updates: dict[str, Any] = {}

    def step(self, old: Step, new: Step) -> dict[str, Array]:
        """The parameters and state after one step from the inputs of the program before."""
        inputs = _inputs(self.before, old, 0)
        place = self.places[new.note["place"]]
        params, grads = (_filled(place["params"], inputs[name]) for name in ("params", "grads"))
        state = _filled(place["state"], self._state(inputs["state"], new))
        updates, new_state = self._update(new.note["place"])(grads, state, params)
        factor = self._factor(old, new)
        moved = jax.tree_util.tree_map(lambda p, u: p + factor * u, params, updates)
        leaves = {f"params/{path}": array for path, array in _leaves(moved).items()}
        found = _leaves(new_state)
        for match in self.pair.states:
            leaves[match.name] = -found[match.after] if match.turned else found[match.after]
        return leaves

    def _update(self, name: str) -> Any:
        if name not in self.updates:
            update = self.places[name]["update"]
            self.updates[name] = jax.jit(lambda *trees: update(*trees))
        return self.updates[name]

    def _state(self, state: Mapping[str, Array], new: Step) -> dict[str, Array]:
        """What flax kept; counters at flax's step; the rest as the program after had it."""
        leaves = {path: _wide(self.after.array(ref)) for path, ref in new.parts["state"].items()}
        for path, array in leaves.items():
            if is_counter(path):
                leaves[path] = state["step"].astype(array.dtype)
        for match in self.pair.states:
            if not is_counter(match.after):
                array = state[match.before]
                leaves[match.after] = -array if match.turned else array
        return leaves

    def _factor(self, old: Step, new: Step) -> float:
        """What the program multiplies its updates by, before they are applied: 1, or minus the rate."""
        updates, applied = new.parts["updates"], new.parts.get("applied", new.parts["updates"])
        if updates == applied:
            return 1.0
        factors = [
            _ratios(self.after.array(updates[path]), self.after.array(applied[path]))
            for path in updates
        ]
        found = np.concatenate(factors) if factors else np.ones(1)
        if not found.size:
            return 1.0
        factor, eps = float(np.median(found)), float(FINFO(_dtype(updates)).eps)
        if np.max(np.abs(found - factor)) > SAME_RATE * eps * abs(factor):
            raise CannotReplayError("something else than one factor is between update and apply")
        rates = {
            path: float(self.before.array(ref))
            for path, ref in old.parts.get("hyper", {}).items()
            if path.rpartition("/")[2] == "learning_rate"
        }
        near = [-rate for rate in rates.values() if abs(rate + factor) <= SAME_RATE * eps * rate]
        return near[0] if near else factor


def _flax_step(place: Any) -> Any:
    """The optimizer of a stream; numbers of the program itself stay numbers, because flax asks some for their truth."""
    definition = getattr(place["definition"], "optimizer_def", place["definition"])
    leaves, treedef = jax.tree_util.tree_flatten_with_path(place["hyper"])

    @jax.jit
    def step(traced: Mapping[str, Any], grads: Any, state: Any, params: Any) -> Any:
        values = [traced.get(path_of(path), leaf) for path, leaf in leaves]
        hyper = jax.tree_util.tree_unflatten(treedef, values)
        return definition.apply_gradient(hyper, params, state, grads)

    traced = [path_of(path) for path, leaf in leaves if isinstance(leaf, jax.ShapeDtypeStruct)]

    def run(inputs: Mapping[str, Mapping[str, Array]]) -> dict[str, dict[str, Array]]:
        hyper = {path: inputs["hyper"][path] for path in traced}
        new_params, new_state = step(hyper, *_trees(place, inputs))
        return {"new_params": _leaves(new_params), "new_state": _leaves(new_state)}

    return run


def _trees(place: Any, inputs: Mapping[str, Mapping[str, Array]]) -> tuple[Any, Any, Any]:
    grads, params = (_filled(place["params"], inputs[name]) for name in ("grads", "params"))
    return grads, _filled(place["state"], inputs["state"]), params


def _inputs(recording: Recording, step: Step, seed: int) -> dict[str, dict[str, Array]]:
    """What went into a step, in float64; a seed disturbs it by rounding errors, the rates by those of their own type."""
    found = {}
    for name in ("params", "grads", "state", "hyper"):
        tree = recording.tree(step.parts[name])
        if seed and name == "hyper":
            tree = disturb(tree, seed)
        tree = {path: _wide(np.asarray(array)) for path, array in tree.items()}
        found[name] = disturb(tree, seed) if seed and name != "hyper" else tree
    return found


def _unfolded(recording: Recording) -> Iterator[Step]:
    streams: dict[str, list[Step]] = {}
    for step in recording.steps:
        if "grads" in step.parts:
            streams.setdefault(step.stream, []).append(step)
    for steps in streams.values():
        yield from folded(steps)[0]


def _named(one: Pair, recording: Recording, step: Step) -> dict[str, Array]:
    state = step.parts["new_state"]
    leaves = {f"params/{path}": ref for path, ref in step.parts["new_params"].items()}
    leaves |= {match.name: state[match.before] for match in one.states}
    return recording.tree(leaves)


def _filled(tree: Any, leaves: Mapping[str, Array]) -> Any:
    """A tree of the shape that was seen, with these leaves."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.asarray(leaves[path_of(path)]) if path_of(path) in leaves else leaf,
        tree,
    )


def _leaves(tree: Any) -> dict[str, Array]:
    return {
        path_of(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
        if isinstance(leaf, (jax.Array, np.ndarray))
    }


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _ratios(updates: Array, applied: Array) -> Array:
    old, new = updates.astype(np.float64).ravel(), applied.astype(np.float64).ravel()
    where = (np.abs(old) > np.max(np.abs(old), initial=0.0) * 1e-3) & np.isfinite(new)
    return np.asarray(new[where] / old[where])


def _dtype(part: Mapping[str, Any]) -> Any:
    return np.dtype(next(iter(part.values()))[1])
