"""Is a function of the gradients the clip by global norm, the clip by value, or only like one?

It is run on gradients below, at and above the threshold, on zeros and on NaN, and compared with what Optax computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.plan import clip_model as model
from flax2optax.codemod.plan.clip_model import Array, NotUnderstood, Tree
from flax2optax.codemod.plan.clip_places import Place
from flax2optax.codemod.plan.clip_reading import Reading
from flax2optax.codemod.plan.clip_scope import Env, Key, Symbol

TRANSFORMATION = {"norm": "clip_by_global_norm", "value": "clip"}
RATIOS = (0.0, 1e-3, 0.5, 0.9, 0.999, 1.001, 1.1, 2.0, 10.0, 1000.0)
FEW = (0.5, 0.999, 1.001, 10.0)  # for a second shape, and a second threshold
SHAPES = (
    Tree((Array((0.6, -1.4, 0.3)), Array((2.0, -0.7)), Array((0.05,)))),
    Tree((Array((-0.02,)), Array((0.4, 0.1, -0.9, 1.7)))),
)
BROKEN = Tree((Array((0.6, math.nan)), Array((2.0, -0.7))))
THRESHOLDS = (0.3, 2.0, 40.0)
LARGEST_EPSILON = 1e-5
EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Threshold:
    """A literal (a node) or a name of the program."""

    node: NodeId | None
    symbol: Symbol | None
    value: float = math.nan

    @property
    def identity(self) -> object:
        """Equal for equal thresholds."""
        return self.symbol.key if self.symbol is not None else self.value


@dataclass(frozen=True, slots=True)
class Clip:
    """`kind` is a key of TRANSFORMATION; `epsilon` is what was added to the norm, or 0."""

    kind: str
    threshold: Threshold
    epsilon: float
    reading: Reading


@dataclass(frozen=True, slots=True)
class Unlike:
    """It looks like a clip by global norm and is not one."""

    reason: str


Reference = Callable[[Tree, float], Tree]


def judge(
    facts: OptimizerFacts, node: t.Expression, place: Place, cut: Key, item: int | None = None
) -> Clip | Unlike | None:
    """Run `node` (or one item of the tuple it makes) with the gradients in the place of `cut`; None where it is not understood or is something else."""
    try:
        return _Judge(facts, node, place, cut, item).verdict()
    except (NotUnderstood, RecursionError):
        return None


class _Judge:
    def __init__(
        self, facts: OptimizerFacts, node: t.Expression, place: Place, cut: Key, item: int | None
    ) -> None:
        self.facts, self.node, self.place, self.cut = facts, node, place, cut
        self.item = item
        self.reading = Reading(facts, {cut: SHAPES[0]})
        self.apply(self.reading)

    def apply(self, reading: Reading) -> Tree:
        value = reading.eval(self.node, Env({}, self.place, self.place.scope))
        if self.item is not None:
            value = (
                value[self.item] if isinstance(value, tuple) and self.item < len(value) else None
            )
        if not isinstance(value, Tree):
            raise NotUnderstood
        return value

    def run(
        self, gradients: Tree, threshold: Threshold, value: float, without: Iterable[NodeId] = ()
    ) -> Tree:
        numbers = {threshold.symbol.key: value} if threshold.symbol else {}
        zeros = dict.fromkeys(without, 0.0)
        reading = Reading(
            self.facts, {self.cut: gradients}, numbers, zeros, bindings=self.reading.bindings
        )
        result = self.apply(reading)
        self.reading.constants.update(reading.constants)
        return result

    def verdict(self) -> Clip | Unlike | None:
        candidates = list(self.candidates())
        for kind, reference in REFERENCES.items():
            for threshold in candidates:
                epsilon = self.epsilon(threshold, reference)
                if epsilon is not None:
                    if self.reading.branched and threshold.symbol is not None:
                        return None
                    if self.reading.cast:
                        return Unlike("it computes the norm in a precision of its own")
                    return Clip(kind, threshold, epsilon, self.reading)
        return next(filter(None, map(self.mistake, candidates)), None)

    def candidates(self) -> Iterator[Threshold]:
        if self.reading.symbols:
            if len(self.reading.symbols) == 1:
                yield Threshold(None, next(iter(self.reading.symbols.values())))
            return
        for node, value in self.reading.constants.items():
            if value > LARGEST_EPSILON:
                yield Threshold(node, None, value)

    def epsilon(self, threshold: Threshold, reference: Reference) -> float | None:
        """0 where it is the reference, the epsilon where it is but for that; None where it is not."""
        if self.agrees(threshold, reference, lambda _: EXACT):
            return 0.0
        small = self.small()
        largest = max(small.values(), default=0.0)
        if not small or not self.agrees(threshold, reference, lambda _: EXACT, small):
            return None

        def bound(norm: float) -> float:
            return 1.01 * model.divide(largest, norm) + EXACT

        return largest if self.agrees(threshold, reference, bound) else None

    def small(self) -> dict[NodeId, float]:
        return {n: v for n, v in self.reading.constants.items() if 0 < v <= LARGEST_EPSILON}

    def agrees(
        self,
        threshold: Threshold,
        reference: Reference,
        bound: Callable[[float], float],
        without: Iterable[NodeId] = (),
    ) -> bool:
        """Whether it is the reference at every sample, with some constants set to zero."""
        return all(
            _close(
                self.run(gradients, threshold, limit, without),
                reference(gradients, limit),
                bound(norm),
            )
            for limit in self.limits(threshold)
            for gradients, norm in self.samples(limit, first=limit == self.limits(threshold)[0])
        )

    def limits(self, threshold: Threshold) -> tuple[float, ...]:
        return THRESHOLDS if threshold.symbol is not None else (threshold.value,)

    def samples(self, limit: float, *, first: bool) -> Iterator[tuple[Tree, float]]:
        """Gradients and their norms: around the threshold, and around every other number of the program."""
        others = [v * side for v in set(self.reading.constants.values()) for side in (0.9, 1.1)]
        for shape in SHAPES:
            norm = model.global_norm(shape)
            ratios = RATIOS if first and shape is SHAPES[0] else FEW
            for wanted in (*(limit * ratio for ratio in ratios), *(v for v in others if v > 0)):
                yield _scaled(shape, wanted / norm), wanted
        yield _scaled(BROKEN, limit), math.nan

    def mistake(self, threshold: Threshold) -> Unlike | None:
        """The ways in which a clip by norm is written that is none."""
        for reason, reference in MISTAKES.items():
            if self.agrees(threshold, reference, lambda _: EXACT, self.small()):
                return Unlike(reason)
        return None


def _scaled(tree: Tree, factor: float) -> Tree:
    return Tree(tuple(model.scaled(leaf, factor) for leaf in tree.leaves))


def _close(left: Tree, right: Tree, bound: float) -> bool:
    pairs = zip(left.leaves, right.leaves, strict=False)
    return len(left.leaves) == len(right.leaves) and all(
        isinstance(a, Array) and isinstance(b, Array) and _close_leaves(a, b, bound)
        for a, b in pairs
    )


def _close_leaves(left: Array, right: Array, bound: float) -> bool:
    if len(left.items) != len(right.items):
        return False
    return all(map(lambda a, b: _close_numbers(a, b, bound), left.items, right.items))


def _close_numbers(left: float, right: float, bound: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right or math.isnan(bound) or abs(left - right) <= bound * abs(right)


def _by_value(tree: Tree, limit: float) -> Tree:
    return model.tree_map(lambda leaf: model.clip(leaf, -limit, limit), tree)


def _per_leaf(tree: Tree, limit: float) -> Tree:
    return model.tree_map(lambda leaf: model.clip_by_norm(Tree((leaf,)), limit).leaves[0], tree)


def _without_root(tree: Tree, limit: float) -> Tree:
    factor = model.minimum(1.0, model.divide(limit, model.global_norm(tree) ** 2))
    return _scaled(tree, factor)


def _passing_nan(tree: Tree, limit: float) -> Tree:
    return tree if math.isnan(model.global_norm(tree)) else model.clip_by_norm(tree, limit)


def _always(tree: Tree, limit: float) -> Tree:
    norm = model.global_norm(tree)
    return _scaled(tree, model.divide(limit, norm))


REFERENCES: dict[str, Reference] = {"norm": model.clip_by_norm, "value": _by_value}
MISTAKES: dict[str, Reference] = {
    "its epsilon changes more than epsilon/norm": model.clip_by_norm,
    "it clips each leaf by a norm of its own": _per_leaf,
    "it divides by the square of the norm": _without_root,
    "it lets gradients pass whose norm is not a number": _passing_nan,
    "it scales gradients up as well as down": _always,
}
