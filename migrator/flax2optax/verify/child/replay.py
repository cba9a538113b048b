"""Teacher forcing: one step at a time from what the program before recorded, in float64, whatever it ran in.

The process before steps the real flax.optim again from its own recording, and from inputs disturbed by rounding.
The process after steps its transformation from the same inputs and says how far the results are apart.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from ..pairing import Pair, folded, is_optax, pair
from ..precision import disturb
from ..recording import Array, Recording, Step, Writer
from ..states import is_counter
from ..verdict import LIMIT, measure_step, noise_of
from .sites import path_of
from .task import Task

FOLDER: Final = "replayed"
NOISES: Final = "noises"
CONTROLS: Final = (1, 2, 3)
Results = Mapping[str, Mapping[str, Array]]
"""Leaves by tree and path."""
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
    """Writes what each step gives back, and how far it is from what disturbed inputs give."""
    recording = Recording(Path(task.folder))
    steps = {name: _flax_step(one) for name, one in places.items() if "definition" in one}
    with Writer(Path(task.folder) / FOLDER) as writer:
        for step in _unfolded(recording):
            inputs, run = _inputs(recording, step), steps[step.note["place"]]
            found = run(_wider(inputs))
            controls = [run(_disturbed(inputs, seed)) for seed in CONTROLS]
            parts = {name: writer.part(one) for name, one in found.items()}
            noises = _noises(found, controls)
            for number, control in enumerate(controls):
                for name, leaves in control.items():
                    kept = {path: leaves[path] for path in leaves if path not in noises[name]}
                    parts[f"{name} {number}"] = writer.part(kept)
            writer.step(Step(step.stream, parts, {NOISES: noises}))
    return {}


def _noises(found: Results, controls: Sequence[Results]) -> dict[str, dict[str, float]]:
    """By tree and path, for all leaves whose controls need not be kept."""
    told: dict[str, dict[str, float]] = {}
    for name, leaves in found.items():
        runs = {path: [leaves[path], *(one[name][path] for one in controls)] for path in leaves}
        told[name] = {
            path: noise for path, one in runs.items() if (noise := noise_of(one)) is not None
        }
    return told


def _after(task: Task, places: Mapping[str, Any]) -> dict[str, Any]:
    before, after = Recording(Path(task.against)), Recording(Path(task.folder))
    results = Recording(before.folder / FOLDER)
    place = {step.identity(): at for at, step in enumerate(_unfolded(before))}
    told = []
    for one in pair(before, after):
        if is_optax(one.before[0]):
            continue
        replayed = _Replayed(one, before, after, places)
        for number, (old, new) in enumerate(zip(one.before, one.after, strict=True), start=1):
            found = replayed.step(old, new)
            result = results.steps[place[old.identity()]]
            base, *controls = (
                results.tree(_named(one, result, ending))
                for ending in ("", *(f" {number}" for number in range(len(CONTROLS))))
            )
            noises = _named(one, result, "", result.note[NOISES])
            told += [
                {"stream": one.stream, "step": number, "leaf": verdict.leaf, "ratio": verdict.ratio}
                | {"detail": verdict.detail}
                for verdict in measure_step(number, base, controls, found, {}, noises)
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
        inputs = _wider(_inputs(self.before, old))
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
            if self.places[name]["more"]:
                raise CannotReplayError("`update` takes more than gradients, state and parameters")
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

    def run(inputs: Results) -> dict[str, dict[str, Array]]:
        hyper = {path: inputs["hyper"][path] for path in traced}
        new_params, new_state = step(hyper, *_trees(place, inputs))
        return {"new_params": _leaves(new_params), "new_state": _leaves(new_state)}

    return run


def _trees(place: Any, inputs: Results) -> tuple[Any, Any, Any]:
    grads, params = (_filled(place["params"], inputs[name]) for name in ("grads", "params"))
    return grads, _filled(place["state"], inputs["state"]), params


def _inputs(recording: Recording, step: Step) -> Results:
    """What went into a step, as it was recorded."""
    return {
        name: recording.tree(step.parts[name]) for name in ("params", "grads", "state", "hyper")
    }


def _wider(inputs: Results) -> Results:
    """In float64."""
    return {
        name: {path: _wide(np.asarray(array)) for path, array in tree.items()}
        for name, tree in inputs.items()
    }


def _disturbed(inputs: Results, seed: int) -> Results:
    """In float64 and off by rounding errors, each tree by others; the rates by those of their own type."""
    rates = disturb(inputs["hyper"], (seed, 0))
    trees = {name: tree for name, tree in _wider(inputs).items() if name != "hyper"}
    moved = {name: disturb(tree, (seed, at)) for at, (name, tree) in enumerate(trees.items(), 1)}
    return {**moved, **_wider({"hyper": rates})}


def _unfolded(recording: Recording) -> Iterator[Step]:
    streams: dict[str, list[Step]] = {}
    for step in recording.steps:
        if "grads" in step.parts and not is_optax(step):
            streams.setdefault(step.stream, []).append(step)
    for steps in streams.values():
        yield from folded(steps)[0]


def _named(
    one: Pair, step: Step, ending: str, leaves: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """The leaves of a result, or what is kept of them by tree and path, under the names of the verdict."""
    trees = step.parts if leaves is None else leaves
    params, state = trees["new_params" + ending], trees["new_state" + ending]
    found = {f"params/{path}": value for path, value in params.items()}
    return found | {
        match.name: state[match.before] for match in one.states if match.before in state
    }


def _filled(tree: Any, leaves: Mapping[str, Array]) -> Any:
    """A tree of the shape that was seen, with these leaves."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaves.get(path_of(path), leaf), tree
    )


def _leaves(tree: Any) -> dict[str, Array]:
    return {
        path_of(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
        if isinstance(leaf, (jax.Array, np.ndarray))
    }


def _wide(array: Array) -> Array:
    is_float = jnp.issubdtype(array.dtype, jnp.floating)
    return array.astype(np.float64, copy=False) if is_float else array


def _ratios(updates: Array, applied: Array) -> Array:
    old, new = updates.astype(np.float64).ravel(), applied.astype(np.float64).ravel()
    finite = np.isfinite(old) & np.isfinite(new)
    old, new = old[finite], new[finite]
    where = np.abs(old) > np.max(np.abs(old), initial=0.0) * 1e-3
    return np.asarray(new[where] / old[where])


def _dtype(part: Mapping[str, Any]) -> Any:
    return np.dtype(next(iter(part.values()))[1])
