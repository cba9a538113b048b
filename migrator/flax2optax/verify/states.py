"""Where a leaf of flax.optim's state is in Optax's: by the name of the field and the path of the parameter."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .recording import Array

STATES: Final = "param_states/"
FIELDS: Final = {
    "momentum": ("trace",),
    "grad_ema": ("mu",),
    "grad_sq_ema": ("nu",),
    "G": ("sum_of_squares",),
    "v": ("nu", "v"),
    "mg": ("mu",),
    "sq_avg": ("e_g",),
    "acc_delta": ("e_x",),
    "m": ("ema",),
}
COUNTERS: Final = ("count", "step")
TURNING: Final = ("momentum", "m")
"""Where the rate is taken before the momentum, Optax keeps it with the sign of the update and flax of the gradient."""
Read = Callable[[str], Array]


@dataclass(frozen=True, slots=True)
class Match:
    """One leaf of state on both sides; `turned` means that Optax keeps it with the other sign."""

    name: str
    before: str
    after: str
    turned: bool = False


def match_states(
    before: Collection[str], after: Collection[str], params: Collection[str]
) -> tuple[list[Match], list[str]]:
    """The leaves that are found on both sides, and those of flax that are not."""
    found: list[Match] = []
    missing: list[str] = []
    known = set(params)
    for path in sorted(before):
        split = _split(path, known)
        if split is None:
            continue
        field, param = split
        places = [path] if path in after else _places(field, param, after)
        if len(places) == 1:
            found.append(Match(_join("state", field, param), path, places[0]))
        else:
            missing.append(path)
    return [*found, *_counters(after)], missing


def with_signs(matches: Sequence[Match], steps: Sequence[tuple[Read, Read]]) -> tuple[Match, ...]:
    """The same matches, and which of them are turned: a step is what reads a leaf before, and after."""
    buffers: defaultdict[str, list[Match]] = defaultdict(list)
    for match in matches:
        _, field, *param = match.name.split("/")
        if field in TURNING:
            buffers[match.after.removesuffix("/".join(param))].append(match)
    turned = {match for found in buffers.values() if _sign(found, steps) < 0 for match in found}
    return tuple(replace(match, turned=match in turned) for match in matches)


def is_counter(path: str) -> bool:
    """Whether a leaf of Optax's state counts steps."""
    return path.rpartition("/")[2] in COUNTERS


def _counters(after: Collection[str]) -> Iterator[Match]:
    for path in sorted(after):
        if is_counter(path):
            yield Match(_join("state", path), "step", path)


def _split(path: str, params: set[str]) -> tuple[str, str] | None:
    """`param_states/a/kernel/momentum` is the field `momentum` of the parameter `a/kernel`."""
    if not path.startswith(STATES):
        return None
    words = path.removeprefix(STATES).split("/")
    for end in range(len(words) - 1, -1, -1):
        param = "/".join(words[:end])
        if param in params:
            return "/".join(words[end:]), param
    return None


def _places(field: str, param: str, after: Collection[str]) -> Sequence[str]:
    for name in (*FIELDS.get(field, ()), field):
        ending = _join(name, param)
        places = [path for path in after if path == ending or path.endswith("/" + ending)]
        if places:
            return places
    return []


def _sign(buffer: Sequence[Match], steps: Sequence[tuple[Read, Read]]) -> float:
    """Of the first step at which the buffer is not zero; zero if it always is."""
    products = (
        sum(_product(old(one.before), new(one.after)) for one in buffer) for old, new in steps
    )
    return next((product for product in products if product), 0.0)


def _product(old: Array, new: Array) -> float:
    if old.shape != new.shape:
        return 0.0
    return float(np.vdot(old.astype(np.float64), new.astype(np.float64)))


def _join(*words: str) -> str:
    return "/".join(word for word in words if word)
