"""Where a leaf of flax.optim's state is in Optax's: by the name of the field and the path of the parameter."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, slots=True)
class Match:
    """One leaf of state on both sides; `turned` means that LARS keeps it with the other sign."""

    name: str
    before: str
    after: str
    turned: bool = False


def match_states(
    before: Collection[str], after: Collection[str], params: Collection[str], optimizer: str
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
        places = _places(field, param, after)
        if len(places) == 1:
            turned = "LARS" in optimizer and field == "momentum"
            found.append(Match(_join("state", field, param), path, places[0], turned))
        else:
            missing.append(path)
    return [*found, *_counters(after)], missing


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


def _join(*words: str) -> str:
    return "/".join(word for word in words if word)
