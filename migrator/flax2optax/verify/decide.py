"""From the comparisons to one answer."""

from dataclasses import dataclass, replace
from typing import Final

from .evidence import Evidence
from .report import Answer
from .verdict import LIMIT, NOT_FINITE, Verdict

QUIET: Final = 1e-9
"""Where rounding drives the parameters no farther apart, as a share of their way, no mistake hides behind it."""
MOST: Final = 0.5
"""So many of the parameters have to say something at least."""
NOTHING = Verdict(False, 0.0, "", 0, "")


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, its sentence, and the comparison's verdict it rests on."""

    answer: Answer
    sentence: str
    verdict: Verdict
    notes: tuple[str, ...] = ()


def decide(
    free: Evidence,
    replay: Evidence | None,
    wide: bool,
    repeatable: bool,
    own: Evidence | None = None,
) -> Decision:
    """A free run in float64 decides if it can; replay where it cannot; where neither can, there is no proof."""
    if free.steps == 0:
        return _differs(free.verdict)
    if wide and free.verdict.equal and _is_enough(free, replay):
        return _same(free) if own is None or not _breaks(own) else _differs(_in_own_type(own))
    notes = _why_not(free, wide, repeatable)
    if _starts_apart(free) and repeatable:
        return _differs(free.verdict)
    if not notes:
        return _differs(
            free.verdict if not free.verdict.equal or replay is None else replay.verdict
        )
    if replay is None:
        return _without_replay(free, wide, notes)
    if not replay.verdict.equal:
        return _differs(replay.verdict, notes)
    if not wide and repeatable and free.decides and not free.verdict.equal:
        return _differs(free.verdict, notes)
    return _same(replay, notes)


def _is_enough(free: Evidence, replay: Evidence | None) -> bool:
    """Whether being within what rounding makes is a proof; where that is much, the replay has to agree."""
    if free.verdict.ratio == 0 or free.spread <= QUIET:
        return True
    return free.decides and (replay is None or replay.verdict.equal)


def _starts_apart(free: Evidence) -> bool:
    """Chaos needs time: the first step starts from the same parameters on both sides."""
    return free.disturbed and not free.verdict.equal and free.verdict.step == 1


def _breaks(own: Evidence) -> bool:
    """Equal in float64 is of no use to who gets NaN, and did not before."""
    return own.finite and own.verdict.detail == NOT_FINITE


def _in_own_type(own: Evidence) -> Verdict:
    return replace(own.verdict, detail=f"{NOT_FINITE}, in the program's own type")


def _without_replay(free: Evidence, wide: bool, notes: tuple[str, ...]) -> Decision:
    """A few leaves that nothing but rounding moves, as a bias before a BatchNorm, do not spoil the others."""
    if wide and free.verdict.equal and free.calm >= MOST:
        return _same(free, (f"{1 - free.calm:.0%} of the parameters say nothing.",))
    reason = f"No comparison can decide: {' '.join(notes)} And there is no replay."
    return Decision("not run", reason, NOTHING, notes)


def _why_not(free: Evidence, wide: bool, repeatable: bool) -> tuple[str, ...]:
    notes = []
    if not wide:
        notes.append("The program does not run in float64, so replay decides.")
    if not repeatable:
        notes.append("The program before does not do the same twice, so replay decides.")
    if not free.disturbed:
        notes.append("The control runs do not start from other parameters, so replay decides.")
    if free.spread and not free.decides and free.disturbed:
        notes.append(
            f"Rounding alone drives the program {free.spread:.1%} of its way apart, so replay decides."
        )
    return tuple(notes)


def _same(evidence: Evidence, notes: tuple[str, ...] = ()) -> Decision:
    verdict, steps = evidence.verdict, f"{evidence.steps} optimizer steps"
    if verdict.ratio == 0:
        sentence = f"The two programs train the same, bit for bit, over {steps} ({evidence.name})."
        return Decision("equal", sentence, verdict, notes)
    sentence = (
        f"The two programs train the same over {steps}: the largest difference is {verdict.ratio:.2g} "
        f"times what rounding makes ({evidence.name}; the limit is {LIMIT:g})."
    )
    return Decision("equal to rounding", sentence, verdict, notes)


def _differs(verdict: Verdict, notes: tuple[str, ...] = ()) -> Decision:
    if verdict.leaf:
        where = f"The programs differ first at step {verdict.step}, in {verdict.leaf}: {verdict.detail}."
    else:
        where = f"The programs differ: {verdict.detail}."
    return Decision("differs", where, verdict, notes)
