"""Which old leaf each leaf of the new state is, checked one by one.

In: an `OldOptimizer` and a `Target`. Out: the new parameters, state and step as trees, and one `Move` per leaf.
Never: a leaf that is left over, made up, or of another shape or dtype.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import jax
import numpy as np
from flax import serialization

from flax2optax_rules import RULES

from .detect import Fields, OldOptimizer, kinds_of
from .fresh import init, param_shapes, small
from .groups import by_param
from .places import Place, Role, Source, fields_of_rules, places, signs
from .target import Target
from .tree import Array, CheckpointError, Path, Tree, from_numpy, put, spell

MOST_PROBLEMS: Final = 20
FLOATS: Final = frozenset({"float16", "bfloat16", "float32", "float64"})
ADAFACTOR: Final = {(field,) for one in RULES["Adafactor"].variants for field in one.state}
WHOLE: Final = frozenset({None, "MultiOptimizer", "WeightNorm"})
"""What says nothing of the states within."""


@dataclass(frozen=True, slots=True)
class Move:
    """One leaf on its way: where it was, where it goes. No `old` means that the program sets it."""

    old: Path | None
    new: Path
    leaf: Tree


@dataclass(frozen=True, slots=True)
class Matched:
    """One optimizer in its new form; `structure` is its state with the program's own types."""

    step: Tree
    opt_state: Tree
    moves: tuple[Move, ...]
    structure: Any


def match(old: OldOptimizer, target: Target, *, cast: bool = False) -> Matched:
    """Return the new state of an optimizer. Raises CheckpointError with everything that does not fit."""
    return _Matching(old, target, cast).run()


def listed(problems: Sequence[str], title: str) -> str:
    """Return a sentence and the first of the problems below it."""
    lines = [f"  {one}" for one in problems[:MOST_PROBLEMS]]
    more = len(problems) - len(lines)
    return "\n".join([f"{title}:", *lines, *([f"  and {more} more"] if more > 0 else [])])


class _Matching:
    """The state of one match: what is used, and what is wrong."""

    def __init__(self, old: OldOptimizer, target: Target, cast: bool) -> None:
        _refuse_old_weight_norm(old)
        self.target = target
        self.cast = cast
        self.lead = old.lead
        self.name = old.path
        self.origin_of_step = step_path(old)
        self.params = param_shapes(old)
        self.opt_state = target.opt_state
        if self.opt_state is None:
            self.opt_state = init(target.tx, self.params, old)
        self.places = places(self.opt_state)
        self.old = by_param(old, self.places)
        self.fields = _fields_by_param(self.old)
        self.used: dict[tuple[Path, Path], Path] = {}
        self.problems: list[str] = []
        self.moves: list[Move] = []
        self.signs = self._signs()
        self.kept: dict[Path, Any] = {}

    def run(self) -> Matched:
        """Place every leaf, then look for what is left over."""
        tree = serialization.to_state_dict(self.opt_state)
        self._keep()
        for place in self.places:
            move = self._move(place)
            if move is not None:
                self.moves.append(move)
                tree = put(tree, place.path, move.leaf)
        self._left_over()
        if self.problems:
            raise CheckpointError(listed(self.problems, f"{spell(self.name)} does not fit"))
        return Matched(self._step(), tree, tuple(self.moves), self.opt_state)

    def _move(self, place: Place) -> Move | None:
        if place.role is Role.STEP:
            return self._checked(place, Move(self.origin_of_step, place.path, self._step()))
        if place.role is Role.KEPT:
            return Move(None, place.path, _filled(self.kept[place.path], self.lead))
        if place.role is Role.UNKNOWN:
            return self._problem(place, "nothing in the old state is meant for it")
        found = self._find(place)
        if found is None:
            return None
        (param, name), negated = found
        if (param, name) in self.used:
            other = spell(self.used[param, name])
            return self._problem(place, f"the old leaf is already used for opt_state/{other}")
        self.used[param, name] = place.path
        leaf = self.old.states[param, name]
        if isinstance(leaf, Array) and negated:
            leaf = replace(leaf, negated=not leaf.negated)
        return self._checked(place, Move(self.old.origin(param, name), place.path, leaf))

    def _find(self, place: Place) -> tuple[tuple[Path, Path], bool] | None:
        """The old leaf of a place, and whether its sign is turned."""
        if not place.sources:
            return self._find_own(place)
        if self.target.kind not in WHOLE | {one.kind for one in place.sources}:
            others = " or ".join(dict.fromkeys(one.kind for one in place.sources))
            self._problem(place, f"it is of {others}, not of {self.target.kind}")
            return None
        fields = self._fields(place)
        kinds = kinds_of(fields)
        fitting = [one for one in place.sources if one.kind in kinds or one.kind == "WeightNorm"]
        if self.target.kind in {one.kind for one in fitting}:
            fitting = [one for one in fitting if one.kind == self.target.kind]
        names = {one.field for one in fitting}
        keys = [(place.param, (*place.prefix, name)) for name in sorted(names)]
        found = [key for key in keys if key in self.old.states]
        if len(found) != 1:
            wanted = " or ".join(sorted({one.field for one in place.sources}))
            has = ", ".join(sorted(fields)) or "no state"
            self._problem(place, f"it needs `{wanted}`, the old state of the parameter has {has}")
            return None
        negated = self._negated(place, fitting)
        return None if negated is None else (found[0], negated)

    def _find_own(self, place: Place) -> tuple[tuple[Path, Path], bool] | None:
        """A field of the program's own OptimizerDef keeps its name."""
        for split in range(len(place.param) + 1):
            key = place.param[:split], place.param[split:]
            if key in self.old.states:
                return key, False
        self._problem(place, "the old state has no such leaf")
        return None

    def _fields(self, place: Place) -> Fields:
        """The fields that the old state of a parameter has, below the part that WeightNorm splits it in."""
        return frozenset(self.fields.get((place.param, place.prefix), ()))

    def _signs(self) -> Mapping[Path, int]:
        """Where the sign is not the same in every rule, or may be another in the program's own, it is tried out."""
        wanted = [place for place in self.places if _may_be_negated(place)]
        if not wanted or self.target.tx is None:
            return {}
        try:
            return signs(self.target.tx, self.params, wanted)
        except Exception:
            return {}  # A transformation that cannot run like this: the rules decide, or it is ambiguous.

    def _negated(self, place: Place, fitting: Sequence[Source]) -> bool | None:
        shown = self.signs.get(place.path, 0)
        named = {one.negated for one in fitting if one.kind == self.target.kind}
        if shown and named and (shown < 0) not in named:
            self._problem(place, f"the sign that the program gives it is not {self.target.kind}'s")
            return None
        if shown:
            return shown < 0
        if len({one.negated for one in fitting}) == 1:
            return fitting[0].negated
        kinds = " or ".join(sorted({one.kind for one in fitting}))
        self._problem(
            place, f"it may be the state of {kinds}, which differ in sign: name the optimizer"
        )
        return None

    def _keep(self) -> None:
        """Hyperparameters come from the program: from its template, or from what `tx.init` sets."""
        wanted = [place for place in self.places if place.role is Role.KEPT]
        self.kept = {place.path: place.leaf for place in wanted}
        if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in self.kept.values()):
            made = self.target.tx.init(jax.tree_util.tree_map(small, self.params))
            self.kept = {one.path: one.leaf for one in places(made) if one.path in self.kept}

    def _checked(self, place: Place, move: Move) -> Move | None:
        shape, dtype = tuple(np.shape(place.leaf)), np.dtype(place.leaf.dtype).name
        lead = self.lead if self.target.opt_state is None else ()
        if not isinstance(move.leaf, Array):
            return self._problem(place, f"the old leaf is {move.leaf!r}, not an array")
        if move.leaf.shape != (*lead, *shape):
            hint = "; it is replicated" if move.leaf.shape == (*self.lead, *shape) else ""
            return self._problem(
                place, f"the shape is {(*lead, *shape)}, the old one {move.leaf.shape}{hint}"
            )
        if move.leaf.dtype == dtype:
            return move
        if self.cast and {dtype, move.leaf.dtype} <= FLOATS:
            return replace(move, leaf=move.leaf.cast(dtype))
        return self._problem(place, f"the dtype is {dtype}, the old one {move.leaf.dtype}")

    def _problem(self, place: Place, text: str) -> Move | None:
        self.problems.append(f"opt_state/{spell(place.path)}: {text}")
        return None

    def _left_over(self) -> None:
        for (param, name), leaf in self.old.states.items():
            if (param, name) not in self.used and not _is_placeholder(name, leaf, self.lead):
                path = spell(self.old.origin(param, name))
                self.problems.append(f"{path}: there is no place for it in the new opt_state")

    def _step(self) -> Array:
        """The step as int32, as flax had it while it trained."""
        step = self.old.step
        value = step.to_numpy() if isinstance(step, Array) else step
        return from_numpy(np.asarray(value, np.int32))


def _refuse_old_weight_norm(old: OldOptimizer) -> None:
    if any("mult" in fields and "direction_state" in fields for fields in old.fields()):
        raise CheckpointError(
            f"{spell(old.path)} is a WeightNorm of flax before 0.4.0, "
            "whose steps took the length of every direction for one: nothing of today trains like that"
        )


def step_path(old: OldOptimizer) -> Path:
    """Return where in the file the step was; with groups, that of the first."""
    return (*old.path, "state", *(("0",) if old.groups else ()), "step")


def _fields_by_param(old: OldOptimizer) -> dict[tuple[Path, Path], set[str]]:
    found: dict[tuple[Path, Path], set[str]] = {}
    for param, name in old.states:
        for depth in range(len(name)):
            found.setdefault((param, name[:depth]), set()).add(name[depth])
    return found


def _may_be_negated(place: Place) -> bool:
    """Whether any rule keeps the field that the leaf can be with its sign turned."""
    return any((one.kind, one.field) in _negated_fields() for one in place.sources)


@cache
def _negated_fields() -> frozenset[tuple[str, str]]:
    every = (one for sources in fields_of_rules().values() for one in sources)
    return frozenset((one.kind, one.field) for one in every if one.negated)


def _is_placeholder(name: Path, leaf: Tree, lead: tuple[int, ...]) -> bool:
    """Adafactor keeps one zero where it has nothing to keep."""
    if name[-1:] not in ADAFACTOR or not isinstance(leaf, Array) or leaf.shape != (*lead, 1):
        return False
    return leaf.nbytes <= 1 << 20 and not any(leaf.tobytes())


def _filled(value: Any, lead: tuple[int, ...]) -> Array:
    held = np.asarray(value)
    return from_numpy(np.broadcast_to(held, (*lead, *held.shape)))
