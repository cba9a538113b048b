"""One comparison in full: the ratio of every leaf at every step, and what it says about the runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from .pairing import ChainRun, Pair, UnequalStreamsError, follow, is_optax, pair, run_of
from .recording import Array, Recording
from .verdict import LIMIT, Verdict, judge_all, measure

CHAOS = 1e-3
"""Controls that part by more than this share of the way travelled say nothing about a difference."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`table` has one ratio per leaf and step.

    `spread` is how far rounding alone drives the parameters, `calm` the share of them that it does not drive too far.
    """

    name: str
    verdict: Verdict
    table: dict[str, list[float]] = field(default_factory=dict)
    deviations: list[float] = field(default_factory=list)
    noises: list[float] = field(default_factory=list)
    steps: int = 0
    spread: float = 0.0
    calm: float = 1.0
    disturbed: bool = True
    notes: tuple[str, ...] = ()
    finite: bool = True
    """Of the program before, in all of its steps."""

    @property
    def decides(self) -> bool:
        """Whether the controls show how far rounding goes, and it does not go too far."""
        return self.disturbed and self.spread <= CHAOS


def compare_recordings(
    name: str, before: Recording, controls: Sequence[Recording], after: Recording
) -> Evidence:
    """Pair the optimizers of two recordings and measure every one of them."""
    try:
        pairs = pair(before, after)
    except UnequalStreamsError as problem:
        return Evidence(name, Verdict(False, float("inf"), "", 0, str(problem)))
    chains = [follow(before, control) for control in controls]
    found: list[Evidence] = []
    members: dict[str, int] = {}
    for one in pairs:
        at = members[one.stream] = members.get(one.stream, -1) + 1
        others = [
            run_of(control, of[one.stream][at], one.states, "before")
            for control, of in zip(controls, chains, strict=True)
            if at < len(of[one.stream])
        ]
        old = run_of(before, one.before, one.states, "before")
        new = run_of(after, one.after, one.states, "after")
        label = f"optimizer {len(found) + 1}: " if len(pairs) > 1 else ""
        measured = _measured(name, label, old, others, new, _notes(one))
        kept = is_optax(one.before[0])
        found.append(replace(measured, disturbed=True) if kept else measured)
    return _merged(name, found)


def replayed(name: str, told: Any) -> Evidence | None:
    """What the process after found by teacher forcing."""
    if not told or "found" not in told:
        return None
    steps = max((one["step"] for one in told["found"]), default=0)
    table: dict[str, list[float]] = {}
    for one in told["found"]:
        row = table.setdefault(one["leaf"], [0.0] * steps)
        row[one["step"] - 1] = max(row[one["step"] - 1], one["ratio"])
    verdicts = [
        Verdict(one["ratio"] <= LIMIT, one["ratio"], one["leaf"], one["step"], one["detail"])
        for one in told["found"]
    ]
    return Evidence(name, judge_all(verdicts), table, steps=told["steps"])


def _measured(
    name: str,
    label: str,
    old: ChainRun,
    controls: Sequence[ChainRun],
    new: ChainRun,
    notes: tuple[str, ...],
) -> Evidence:
    steps, spread, broken = len(old), _spread(old, controls), _not_finite(old)
    table: dict[str, list[float]] = {}
    deviations, noises = [0.0] * steps, [0.0] * steps
    verdicts = []
    for one in measure(old, controls, new):
        leaf = label + one.leaf
        table.setdefault(leaf, [0.0] * steps)[one.step - 1] = one.ratio
        deviations[one.step - 1] = max(deviations[one.step - 1], one.difference)
        noises[one.step - 1] = max(noises[one.step - 1], one.scale)
        verdicts.append(Verdict(one.equal, one.ratio, leaf, one.step, one.detail))
    return Evidence(
        name,
        judge_all(verdicts),
        table,
        deviations,
        noises,
        steps,
        max(spread, default=0.0),
        sum(one <= CHAOS for one in spread) / max(1, len(spread)),
        bool(controls) and all(_moved(old, one) for one in controls),
        (*notes, *broken),
        not broken,
    )


def _merged(name: str, found: Sequence[Evidence]) -> Evidence:
    if len(found) == 1:
        return found[0]
    steps = max(one.steps for one in found)
    table = {leaf: row for one in found for leaf, row in one.table.items()}
    return Evidence(
        name,
        judge_all([one.verdict for one in found]),
        table,
        _largest([one.deviations for one in found], steps),
        _largest([one.noises for one in found], steps),
        sum(one.steps for one in found),
        max(one.spread for one in found),
        min(one.calm for one in found),
        all(one.disturbed for one in found),
        tuple(dict.fromkeys(note for one in found for note in one.notes)),
        all(one.finite for one in found),
    )


def _largest(rows: Sequence[Sequence[float]], steps: int) -> list[float]:
    return [max((row[at] for row in rows if at < len(row)), default=0.0) for at in range(steps)]


def _spread(old: ChainRun, controls: Sequence[ChainRun]) -> list[float]:
    """How far controls part at the end, of each parameter, as a share of the way travelled since the first step."""
    if not controls or len(old) < 2:
        return [0.0]
    first, last = old[0], old[-1]
    ends = [control[min(len(old), len(control)) - 1] for control in controls if len(control)]
    floats = [
        path
        for path, leaf in last.items()
        if path.startswith("params") and jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    return [_parted(first, last, ends, path) for path in floats]


def _parted(
    first: Mapping[str, Array],
    last: Mapping[str, Array],
    ends: Sequence[Mapping[str, Array]],
    path: str,
) -> float:
    way = _far(last[path], first[path])
    apart = max((_far(last[path], end[path]) for end in ends if path in end), default=0.0)
    return apart / way if way else 0.0


def _far(left: Any, right: Any) -> float:
    if left.shape != right.shape:
        return 0.0
    with np.errstate(invalid="ignore"):
        gap = np.abs(left.astype(np.float64) - right.astype(np.float64))
    return float(np.nanmax(gap, initial=0.0))


def _moved(old: ChainRun, control: ChainRun) -> bool:
    """Whether a control run really starts from other parameters."""
    if not len(control):
        return False
    first, other = old[0], control[0]
    return any(path in other and not np.array_equal(first[path], other[path]) for path in first)


def _not_finite(run: ChainRun) -> list[str]:
    for number in range(len(run)):
        for path, array in run[number].items():
            if jnp.issubdtype(array.dtype, jnp.floating) and not np.isfinite(array).all():
                return [
                    f"The program before has NaN or infinity in {path} from step {number + 1} on."
                ]
    return []


def _notes(one: Pair) -> tuple[str, ...]:
    if not one.missing:
        return ()
    names = ", ".join(one.missing[:3]) + (", …" if len(one.missing) > 3 else "")
    return (f"State that is not found on the side of Optax, and not compared: {names}.",)
