"""Which step of one run is which step of another.

All optimizers whose parameters have the same paths and shapes share a stream.
Inside of a stream, the replicas of devices are folded, and the members of an ensemble are told apart by following
the parameters: what one step gives back is what the next one takes.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import overload

import numpy as np

from .recording import Array, Part, Recording, Ref, Step
from .states import Match, match_states, with_signs

Chain = list[Step]
Leaf = tuple[Ref, int]
"""An array on disk and its sign."""


class UnequalStreamsError(Exception):
    """One side has an optimizer that the other has not, or makes another number of steps; the message says which."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One optimizer on both sides."""

    stream: str
    before: Chain
    after: Chain
    states: tuple[Match, ...]
    missing: tuple[str, ...]


class ChainRun(Sequence[dict[str, Array]]):
    """The leaves of a chain's steps, read when they are looked at."""

    def __init__(self, recording: Recording, steps: Sequence[Mapping[str, Leaf]]) -> None:
        self.recording = recording
        self.steps = steps

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> dict[str, Array]: ...
    @overload
    def __getitem__(self, index: slice) -> "ChainRun": ...
    def __getitem__(self, index: int | slice) -> "dict[str, Array] | ChainRun":
        if isinstance(index, slice):
            return ChainRun(self.recording, self.steps[index])
        read = self.recording.array
        return {
            name: read(ref) if sign > 0 else -read(ref)
            for name, (ref, sign) in self.steps[index].items()
        }


def is_optax(step: Step) -> bool:
    """Whether a transformation made it, which a program may have before its migration, too."""
    return "updates" in step.parts


def pair(before: Recording, after: Recording) -> list[Pair]:
    """Every optimizer of the two recordings. Raises UnequalStreamsError."""
    old, new = _streams(before), _streams(after)
    if old.keys() != new.keys():
        raise UnequalStreamsError(_other_trees(old, new))
    return [
        one for stream in old for one in _pairs(stream, old[stream], new[stream], before, after)
    ]


def follow(before: Recording, control: Recording) -> dict[str, list[Chain]]:
    """The chains of a control run, in the order of those of the run before."""
    old, new = _streams(before), _streams(control)
    found = {}
    for stream, steps in old.items():
        chains = chains_of(*folded(steps))
        others = chains_of(*folded(new.get(stream, [])), len(chains))
        found[stream] = _in_order(chains, others, before, control)
    return found


def run_of(recording: Recording, chain: Chain, states: Sequence[Match], side: str) -> ChainRun:
    """What the verdict compares: parameters after each step, and the state that is found on both sides."""
    return ChainRun(recording, [_leaves(chain, at, states, side) for at in range(len(chain))])


def folded(steps: Sequence[Step], replicas: int = 0) -> tuple[list[Step], int]:
    """Without the copies that other devices made of the same step, and how many copies there are of each."""
    counts = Counter(step.identity() for step in steps)
    copies = replicas or min(counts.values(), default=1)
    seen: Counter[object] = Counter()
    kept = []
    for step in steps:
        identity = step.identity()
        if seen[identity] % copies == 0:
            kept.append(step)
        seen[identity] += 1
    return kept, copies


def chains_of(steps: Sequence[Step], copies: int = 1, members: int = 0) -> list[Chain]:
    """Follow the parameters; `members` is how many chains there must be, where that is known."""
    chains: list[Chain] = []
    first = _counter(steps[0]) if steps else None
    for step in steps:
        chain = _link(chains, step)
        is_start = len(chains) < members if members else _counter(step) == first
        if chain is None and (not chains or is_start):
            chain = []
        elif chain is None:
            chain = min(chains, key=len)
        else:
            chains.remove(chain)
        chain.append(step)
        if not any(chain is one for one in chains):
            chains.append(chain)
    return sorted(chains, key=lambda one: steps.index(one[0]))


def _pairs(
    stream: str, old: list[Step], new: list[Step], before: Recording, after: Recording
) -> list[Pair]:
    steps, copies = folded(old)
    chains = chains_of(steps)
    others = chains_of(folded(new, copies)[0], members=len(chains))
    counts = [sum(map(len, one)) for one in (chains, others)]
    if counts[0] != counts[1] or len(chains) != len(others):
        raise UnequalStreamsError(f"{counts[0]} steps before, {counts[1]} after")
    others = _in_order(chains, others, before, after)
    return [
        Pair(stream, one, other, *_states(one, other, before, after))
        for one, other in zip(chains, others, strict=True)
    ]


def _states(
    chain: Chain, other: Chain, before: Recording, after: Recording
) -> tuple[tuple[Match, ...], tuple[str, ...]]:
    old, new = chain[0].parts, other[0].parts
    if "state" not in old or "state" not in new:
        return (), ()
    if is_optax(chain[0]):
        both = old["state"].keys() & new["state"].keys()
        names = tuple(Match(f"state/{path}", path, path) for path in sorted(both))
        return names, tuple(sorted(old["state"].keys() - both))
    found, missing = match_states(old["state"], new["state"], old["params"])
    steps = [
        (partial(_state_leaf, before, old), partial(_state_leaf, after, new))
        for old, new in zip(chain, other, strict=False)
    ]
    return with_signs(found, steps), tuple(missing)


def _state_leaf(recording: Recording, step: Step, path: str) -> Array:
    ref = step.parts["new_state"].get(path)
    return np.zeros(0) if ref is None else recording.array(ref)


def _leaves(chain: Chain, at: int, states: Sequence[Match], side: str) -> dict[str, Leaf]:
    parts = chain[at].parts
    if "yield" in parts:
        return {path: (ref, 1) for path, ref in parts["yield"].items()}
    leaves = {f"params/{path}": (ref, 1) for path, ref in _new_params(chain, at).items()}
    for match in states:
        path = match.after if side == "after" else match.before
        sign = -1 if match.turned and side == "after" else 1
        if path in parts["new_state"]:
            leaves[match.name] = (parts["new_state"][path], sign)
    return leaves


def _new_params(chain: Chain, at: int) -> Part:
    """A step without `apply_updates` shows its parameters when the next one takes them."""
    parts = chain[at].parts
    if "new_params" in parts:
        return parts["new_params"]
    following = chain[at + 1].parts if at + 1 < len(chain) else {}
    return following.get("params", {})


def _link(chains: Sequence[Chain], step: Step) -> Chain | None:
    for chain in chains:
        if chain[-1].parts.get("new_params", 0) == step.parts.get("params", 1):
            return chain
    return None


def _counter(step: Step) -> object:
    """Where there is no counter, nothing tells that a step is another member's first."""
    if "yield" in step.parts:
        return object()
    return step.parts.get("state", {}).get("step")


def _in_order(
    chains: list[Chain], others: list[Chain], before: Recording, after: Recording
) -> list[Chain]:
    if len(chains) < 2:
        return others
    left, found = list(others), []
    for chain in chains:
        if not left:
            break
        nearest = min(left, key=lambda one: _distance(before, chain[0], after, one[0]))
        left.remove(nearest)
        found.append(nearest)
    return found


def _distance(before: Recording, old: Step, after: Recording, new: Step) -> float:
    total = 0.0
    for part in ("params", "grads"):
        for path, ref in old.parts.get(part, {}).items():
            other = new.parts.get(part, {}).get(path)
            if other is not None and other[2] == ref[2]:
                gap = np.abs(
                    before.array(ref).astype(np.float64) - after.array(other).astype(np.float64)
                )
                total += float(np.nansum(gap))
    return total


def _streams(recording: Recording) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = defaultdict(list)
    for step in recording.steps:
        found[step.stream].append(step)
    return dict(found)


def _other_trees(old: Mapping[str, list[Step]], new: Mapping[str, list[Step]]) -> str:
    paths = [
        {path for steps in side.values() for path in steps[0].parts.get("params", {})}
        for side in (old, new)
    ]
    missing, added = sorted(paths[0] - paths[1]), sorted(paths[1] - paths[0])
    if missing or added:
        return f"the tree changed: missing {missing}, added {added}"
    return f"the tree changed: {len(old)} optimizers before, {len(new)} after, or other shapes"
