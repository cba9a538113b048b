"""The calibrated criterion: how far may two equal programs part, judged by how far a rounding error parts one of them.

noise = the largest distance of any two of the run before and its controls, per leaf and step.
Controls are runs that start one or two units in the last place off.
scale = the largest (noise + one unit in the last place of the leaf) up to that step:
a sum that happens to cancel keeps the rounding errors of its terms, and three controls may agree by chance.
ratio = the largest |after - before| / scale.
In float64 right migrations stay below 1.8 and the smallest mistakes begin at 1e5, measured on three programs
(`benchmarks/verify_mutants.py`); any limit from 18 to 100 is ten times above the one and a thousand times below the other.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, groupby
from types import MappingProxyType
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

LIMIT: Final = 32.0
NOT_FINITE: Final = "NaN or infinity in one of the two only"
FINFO: Final[Any] = jnp.finfo
Array = NDArray[Any]
Leaves = Mapping[str, Array]
"""One step: its leaves by path, so that a FrozenDict equals a dict."""
Run = Sequence[Leaves]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether two runs are one; otherwise `detail` says how the worst leaf differs. Steps count from 1."""

    equal: bool
    ratio: float
    leaf: str
    step: int
    detail: str
    difference: float = 0.0
    scale: float = 0.0


def leaves_by_path(tree: Any) -> dict[str, Array]:
    """The leaves of one step on the host, by `/`-joined path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): _on_host(leaf)
        for path, leaf in leaves
    }


def judge(before: Run, controls: Sequence[Run], after: Run) -> Verdict:
    """Compare two runs leaf by leaf and step by step; the first place beyond the limit is named."""
    if not before:
        return _different(0, "", "the program before yields no step")
    if len(before) != len(after):
        return _different(0, "", f"{len(before)} steps before, {len(after)} after")
    return judge_all(measure(before, controls, after))


def judge_all(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst leaf of the first step that is beyond the limit, or else the worst of all."""
    worst = Verdict(True, 0.0, "", 0, "")
    for _, found in groupby(sorted(verdicts, key=_step), key=_step):
        verdict = max(found, key=lambda one: one.ratio)
        if not verdict.equal:
            return verdict
        worst = max(worst, verdict, key=lambda one: one.ratio)
    return worst


def _step(verdict: Verdict) -> int:
    return verdict.step


def measure(before: Run, controls: Sequence[Run], after: Run) -> Iterator[Verdict]:
    """The verdict of every leaf at every step, one step at a time."""
    scales: dict[str, float] = {}
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        noisy = [control[number] for control in controls if number < len(control)]
        yield from measure_step(number + 1, old, noisy, new, scales)


def measure_step(
    step: int,
    old: Leaves,
    noisy: Sequence[Leaves],
    new: Leaves,
    scales: dict[str, float],
    noises: Mapping[str, float] = MappingProxyType({}),
) -> Iterator[Verdict]:
    """The verdict of every leaf of one step; `scales` is carried from step to step.

    `noises` is the noise of leaves whose controls are not at hand any more (`noise_of`).
    """
    if old.keys() != new.keys():
        missing, added = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
        yield _different(
            step, (missing + added)[0], f"the tree changed: missing {missing}, added {added}"
        )
        return
    for path in old:
        others = [one[path] for one in noisy if path in one]
        noise = noises.get(path, 0.0)
        yield _judge_leaf(step, path, old[path], others, new[path], scales, noise)


def noise_of(runs: Sequence[Array]) -> float | None:
    """All that controls say about one finite leaf: the largest distance of any two. None where they say more."""
    if not all(np.issubdtype(one.dtype, np.floating) and np.isfinite(one).all() for one in runs):
        return None
    return _range([_wide(one) for one in runs], None)


def _judge_leaf(
    step: int,
    path: str,
    old: Array,
    noisy: Sequence[Array],
    new: Array,
    scales: dict[str, float],
    noise: float,
) -> Verdict:
    if old.shape != new.shape:
        return _different(step, path, f"shape {old.shape} before, {new.shape} after")
    if not jnp.issubdtype(old.dtype, jnp.number):
        return _judge_exactly(step, path, old, new)
    eps = _eps(old)
    old, new = _wide(old), _wide(new)
    controls = [_wide(one) for one in noisy if one.shape == old.shape]
    if not _same_kinds(old, controls, new):
        return _different(step, path, NOT_FINITE)
    finite = _finite(old, new, *controls)
    difference = _largest(old, new, finite)
    noise = max(noise, _range([old, *controls], finite))
    unit = eps * float(np.max(np.abs(_at(old, finite)), initial=0.0))
    scale = scales[path] = max(noise + unit, scales.get(path, 0.0))
    ratio = 0.0 if difference == 0 else _ratio(difference, scale)
    detail = f"differs by {difference:.3g}, rounding makes {scale:.3g}"
    told = detail if ratio else ""
    return Verdict(ratio <= LIMIT, ratio, path, step, told, difference, scale)


def _judge_exactly(step: int, path: str, old: Array, new: Array) -> Verdict:
    if np.array_equal(old, new):
        return Verdict(True, 0.0, path, step, "")
    return _different(step, path, "differs")


def _same_kinds(old: Array, controls: Sequence[Array], new: Array) -> bool:
    """A NaN or infinity is the program's own where the run before, or one disturbed by rounding, has it too."""
    if _finite(old, new, *controls) is None:
        return True
    allowed = np.stack([_kinds(one) for one in (old, *controls)])
    return bool(np.all(np.any(allowed == _kinds(new), axis=0)))


def _kinds(array: Array) -> Array:
    """One value each for NaN and the two infinities."""
    real = array.real
    return np.asarray(np.isnan(array) + 2 * np.isposinf(real) + 4 * np.isneginf(real))


def _finite(*runs: Array) -> Array | None:
    """Where all of them are finite; None is everywhere, which is the rule and costs less."""
    found = [np.isfinite(one) for one in runs]
    return None if all(one.all() for one in found) else np.logical_and.reduce(found)


def _at(array: Array, where: Array | None) -> Array:
    return array if where is None else np.asarray(array[where])


def _largest(left: Array, right: Array, where: Array | None) -> float:
    return float(np.max(np.abs(_at(left, where) - _at(right, where)), initial=0.0))


def _range(runs: Sequence[Array], where: Array | None) -> float:
    """The largest distance of any two runs."""
    found = [_at(one, where) for one in runs]
    if any(np.iscomplexobj(one) for one in found):
        return max((_largest(*two, None) for two in combinations(found, 2)), default=0.0)
    return float(np.max(reduce(np.maximum, found) - reduce(np.minimum, found), initial=0.0))


def _ratio(difference: float, scale: float) -> float:
    return difference / scale if scale else math.inf


def _eps(array: Array) -> float:
    """What one unit in the last place is to a leaf; whole numbers have no rounding."""
    return float(FINFO(array.dtype).eps) if jnp.issubdtype(array.dtype, jnp.inexact) else 0.0


def _on_host(leaf: Any) -> Array:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(leaf))
    return np.asarray(leaf)


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64, copy=False)


def _different(step: int, path: str, detail: str) -> Verdict:
    return Verdict(False, math.inf, path, step, detail)
