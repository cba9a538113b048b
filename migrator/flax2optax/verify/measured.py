"""What else the runs tell: losses, rates, the counters that were visited, time and memory."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping
from statistics import mean, median

from .outcome import Outcome
from .pairing import chains_of, folded
from .recording import Recording, Step
from .report import Speed

Speeds = Mapping[str, Speed]
"""By side."""


def losses(recording: Recording) -> list[float]:
    """The value that `jax.value_and_grad` gave last before each step."""
    return [float(step.note["loss"]) for step in recording.steps if "loss" in step.note]


def rates(recording: Recording) -> list[float]:
    """The learning rate of each step of the first optimizer."""
    found = []
    for step in first_chain(recording):
        for path, ref in step.parts.get("hyper", {}).items():
            if path.rpartition("/")[2] == "learning_rate":
                found.append(float(recording.array(ref)))
                break
    return found


def visited_counters(recording: Recording) -> tuple[int, ...]:
    """The values of flax's step counter."""
    return tuple(
        int(recording.array(step.parts["state"]["step"]))
        for step in first_chain(recording)
        if "step" in step.parts.get("state", {})
    )


def first_chain(recording: Recording) -> list[Step]:
    """The steps of the first optimizer, without the copies of other devices."""
    seen = [step for step in recording.steps if "hyper" in step.parts]
    if not seen:
        return []
    steps = [step for step in seen if step.stream == seen[0].stream]
    return chains_of(folded(steps)[0])[0]


def folded_copies(recording: Recording) -> int:
    """How many devices make each step."""
    return folded(recording.steps)[1] if recording.steps else 1


def compile_times(*outcomes: Outcome) -> dict[str, float]:
    """The mean seconds that each function took to compile, in the runs that compiled it."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for name, seconds in outcome.told.get("compiled", ()):
            found[name].append(seconds)
    return {name: mean(seconds) for name, seconds in found.items()}


def speeds(before: Outcome, after: Outcome, copies: int, known: Mapping[str, float]) -> Speeds:
    """Of both sides. What both found compiled by earlier runs is no difference, and does not count.

    What only one of them found counts with the time of the run that compiled it (`known`).
    """
    found = [Counter[str](one.told.get("retrieved", ())) for one in (before, after)]
    shared = found[0] & found[1]
    others = [sum(known.get(name, 0.0) for name in (one - shared).elements()) for one in found]
    return {
        "before": _speed_of(before, copies, others[0]),
        "after": _speed_of(after, copies, others[1]),
    }


def _speed_of(outcome: Outcome, copies: int, others: float) -> Speed:
    """From the ticks, which every device makes: the first steps compile, the median of the others is the step."""
    ticks = outcome.told.get("ticks", [])[copies - 1 :: copies]
    gaps = [later - earlier for earlier, later in itertools.pairwise(ticks)]
    step = median(gaps[1:]) if len(gaps) > 1 else 0.0
    own = sum(seconds for _, seconds in outcome.told.get("compiled", ()))
    return Speed(own + others, step, int(outcome.told.get("peak", 0)), len(ticks))
