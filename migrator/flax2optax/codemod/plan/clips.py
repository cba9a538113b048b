"""Hand-written gradient clips → transformations in front of the optimizer's, where that trains the same.

A clip is recognised by what it computes, not by how it is spelled (`clip_kinds`).
It moves only if every step of its flow has it as the last thing done to the gradients, with a threshold that means the
same where the transformation is made; anything else stays in the step, where it is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.values import External
from flax2optax.codemod.plan.clip_edits import Level, remove
from flax2optax.codemod.plan.clip_kinds import TRANSFORMATION, Threshold, Unlike, judge
from flax2optax.codemod.plan.clip_places import Place, binding, place_of, target_names
from flax2optax.codemod.plan.clip_scope import Key
from flax2optax.codemod.plan.clip_thresholds import visible
from flax2optax.codemod.plan.edits import Edit, Finding, Hole, Pieces
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.overrides import take_apart

MAKING = frozenset({"construct", "create", "create_value"})
HARMLESS_METHODS = frozenset({
    "state_dict", "restore_state", "replicate", "unreplicate", "compute_gradient", "compute_gradients",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClipFold:
    """What goes in front of a flow's transformation, outermost argument first; the edits of its steps; what to say."""

    front: tuple[Pieces, ...] = ()
    edits: tuple[Edit, ...] = ()
    findings: tuple[Finding, ...] = ()


def find_clips(
    facts: OptimizerFacts, uses: Mapping[str, list[Occurrence]], *, unsafe: bool = False
) -> dict[NodeId, ClipFold]:
    """The clips of each flow, by its root; a flow without any is left out.

    One with an epsilon in its denominator is not Optax's: it moves only if `unsafe`.
    """
    by_flow: dict[NodeId, list[Occurrence]] = {}
    for found in uses.values():
        for use in found:
            if use.flow is not None:
                by_flow.setdefault(facts.flows.find(use.flow), []).append(use)
    folds = {root: _fold(facts, root, found, unsafe) for root, found in by_flow.items()}
    return {root: fold for root, fold in folds.items() if fold.front or fold.findings}


def chained(front: Sequence[Pieces], optax: str, tx: Pieces) -> Pieces:
    """`optax.chain(…, tx)`, or `tx` alone; `optax` is the file's name for it."""
    if not front:
        return tx
    pieces: list[str | Hole] = [f"{optax}.chain("]
    for part in front:
        pieces += [p.replace("optax.", f"{optax}.", 1) if isinstance(p, str) else p for p in part]
        pieces.append(", ")
    return (*pieces, *tx, ")")


def _fold(facts: OptimizerFacts, root: NodeId, uses: list[Occurrence], unsafe: bool) -> ClipFold:
    steps = [use for use in uses if use.kind == "apply"]
    peeled = [list(_levels(facts, use)) for use in steps]
    left = tuple(
        Finding("FXO602", found.node.id, f"the clip stays in the step: {found.reason}", note=True)
        for levels in peeled
        for found in levels
        if isinstance(found, _Left)
    )
    chains = [[found for found in levels if isinstance(found, Level)] for levels in peeled]
    if not unsafe:
        chains, apart = _without_epsilons(chains)
        left = (*left, *apart)
    for length in range(_movable(facts, root, uses, chains), 0, -1):
        edits = _edits(facts, steps, [levels[:length] for levels in chains])
        if edits is not None:
            return _folded(facts, uses, [levels[:length] for levels in chains], edits, left)
    return ClipFold(findings=left)


def _without_epsilons(chains: list[list[Level]]) -> tuple[list[list[Level]], list[Finding]]:
    """The clips in front of the first with an epsilon, and a note for each of those."""
    kept: list[list[Level]] = []
    apart: list[Finding] = []
    for levels in chains:
        stop = next((i for i, level in enumerate(levels) if level.clip.epsilon), len(levels))
        kept.append(levels[:stop])
        for level in levels[stop : stop + 1]:
            message = (
                f"the clip stays in the step: its epsilon of {level.clip.epsilon:g} makes it differ "
                "from Optax's by epsilon/norm where it clips"
            )
            help_ = "--unsafe-fixes folds it into the optimizer"
            apart.append(Finding("FXO602", level.clipped.id, message, help_, note=True))
    return kept, apart


def _edits(
    facts: OptimizerFacts, steps: list[Occurrence], chains: list[list[Level]]
) -> tuple[Edit, ...] | None:
    """The edits of all steps, if the clips can be taken out of each."""
    edits: dict[Edit, None] = {}
    for levels, use in zip(chains, steps, strict=True):
        found = remove(levels, facts.program.owner(use.node.id))
        if found is None:
            return None
        edits.update(dict.fromkeys(found))
    return tuple(edits)


def _folded(
    facts: OptimizerFacts,
    uses: list[Occurrence],
    chains: list[list[Level]],
    edits: tuple[Edit, ...],
    left: tuple[Finding, ...],
) -> ClipFold:
    front = tuple(_front(facts, level, uses) for level in reversed(chains[0]))
    notes = tuple(_note(level) for levels in chains for level in levels)
    return ClipFold(front, edits, (*left, *notes))


def _movable(
    facts: OptimizerFacts, root: NodeId, uses: list[Occurrence], chains: list[list[Level]]
) -> int:
    """How many clips, counted from the step inwards, every step has alike and the transformation can see."""
    makes = [use for use in uses if use.kind in MAKING]
    if not chains or not any(use.kind.startswith("create") for use in makes):
        return 0
    if any(facts.flows.find(site) == root for site in facts.machine.assumed):
        return 0
    if any(use.kind == "method_value" or _other_method(use) for use in uses):
        return 0
    length = 0
    for level, *others in zip(*chains, strict=False):
        same = all(_identity(other) == _identity(level) for other in others)
        if not same or not all(
            visible(facts, level_.clip.threshold, makes, level_, root)
            for level_ in (level, *others)
        ):
            break
        length += 1
    return length


def _other_method(use: Occurrence) -> bool:
    return use.kind == "method" and use.name not in HARMLESS_METHODS


def _identity(level: Level) -> object:
    return level.clip.kind, level.clip.threshold.identity


@dataclass(frozen=True, slots=True)
class _Left:
    """Something like a clip, and why it stays."""

    node: t.Expression
    reason: str


def _levels(facts: OptimizerFacts, use: Occurrence) -> Iterator[Level | _Left]:
    """The clips of one step, from the call of `apply_gradient` inwards."""
    assert isinstance(use.node, t.Call)
    gradients = take_apart(use.node).gradients
    place = place_of(use.above, facts.program.owner(use.node.id))
    node = gradients.value if gradients is not None else None
    while node is not None and place is not None:
        found = _level(facts, node, place)
        if found is not None:
            yield found
        node, place = (
            (found.operand, found.operand_place) if isinstance(found, Level) else (None, None)
        )


def _level(facts: OptimizerFacts, node: t.Expression, place: Place) -> Level | _Left | None:
    statement, clipped, home, item = None, node, place, None
    if isinstance(node, t.Name):
        found = binding(place, node.name)
        if found is None or found.statement is None or found.place is None:
            return None
        statement, home = found.statement, found.place
        clipped = statement.value
        item = _item(statement.targets[0], node.name)
    if not isinstance(clipped, t.Call):
        return None
    left: _Left | None = None
    for operand, operand_place, key in _operands(facts, clipped, home):
        verdict = judge(facts, clipped, home, key, item)
        if isinstance(verdict, Unlike):
            left = _Left(clipped, verdict.reason)
        elif verdict is not None:
            return Level(
                node, place, statement, home, clipped, operand, operand_place, verdict, item
            )
    return left


def _item(target: t.Expression, name: str) -> int | None:
    """Which of the targets that unpack a tuple a name is."""
    if isinstance(target, t.Name):
        return None
    return [n.name for n in target_names(target)].index(name)


def _operands(
    facts: OptimizerFacts, clipped: t.Call, place: Place
) -> Iterator[tuple[t.Expression, Place, Key]]:
    """The expressions that may be the gradients a call clips."""
    if isinstance(clipped.func, t.Call):
        return
    for argument in clipped.args:
        if not isinstance(argument.value, t.Lambda | t.Constant):
            yield from _operand(argument.value, place)
    for node, _ in walk((clipped,)):  # `unravel(…)`, `tree_unflatten(treedef, …)`
        found = binding(place, node.name) if isinstance(node, t.Name) else None
        if found is not None and found.statement is not None and found.place is not None:
            value = found.statement.value
            if (
                isinstance(value, t.Call)
                and len(value.args) == 1
                and _takes_apart(facts, value.func)
            ):
                yield from _operand(value.args[0].value, found.place)


def _takes_apart(facts: OptimizerFacts, func: t.Expression) -> bool:
    names = {a.name.rsplit(".", 1)[-1] for a in facts.value(func.id) if isinstance(a, External)}
    return bool(names & {"ravel_pytree", "tree_flatten", "flatten"})


def _operand(node: t.Expression, place: Place) -> Iterator[tuple[t.Expression, Place, Key]]:
    if not isinstance(node, t.Name):
        yield node, place, ("node", node.id)
        return
    found = binding(place, node.name)
    if found is not None:
        yield node, place, found.key


def _front(facts: OptimizerFacts, level: Level, uses: Sequence[Occurrence]) -> Pieces:
    name = TRANSFORMATION[level.clip.kind]
    return (f"optax.{name}(", _threshold(facts, level.clip.threshold, uses), ")")


def _threshold(
    facts: OptimizerFacts, threshold: Threshold, uses: Sequence[Occurrence]
) -> str | Hole:
    """The name, or the literal as it was written where all of the flow is in its file."""
    if threshold.symbol is not None:
        return threshold.symbol.name
    assert threshold.node is not None
    owners = {facts.program.owner(use.node.id).path for use in uses if use.kind in MAKING}
    if owners == {facts.program.owner(threshold.node).path}:
        return Hole(threshold.node)
    return repr(threshold.value)


def _note(level: Level) -> Finding:
    clip = level.clip
    message = (
        f"the clip of the gradients is now `optax.{TRANSFORMATION[clip.kind]}` in the optimizer"
    )
    if clip.epsilon:
        message += f"; its epsilon of {clip.epsilon:g} is gone, a difference of epsilon/norm where it clips"
    helpers = [
        f"`{function.name}`" for function in clip.reading.helpers.values() if function.value is None
    ]
    named = isinstance(level.clipped.func, t.Name) and f"`{level.clipped.func.name}`" in helpers
    help_ = (
        f"{level.clipped.func.name} was left in place"
        if named and isinstance(level.clipped.func, t.Name)
        else ""
    )
    return Finding("FXO601", level.clipped.id, message, help_, note=True)
