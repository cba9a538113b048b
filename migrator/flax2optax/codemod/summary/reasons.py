"""Why a flow was left as it was: the first thing in its way, and whether comments answer all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flax2optax.codemod.diagnostic import Location
from flax2optax.codemod.index.places import Places
from flax2optax.codemod.plan.edits import Finding, FlowPlan


@dataclass(frozen=True, slots=True)
class Reason:
    """`text` says it for the other findings of the flow; `answered` means that nothing is asked of anybody.

    `stopped` is False where --unsafe-fixes would be enough.
    """

    text: str
    answered: bool
    stopped: bool


def reasons(group: Sequence[FlowPlan], places: Places) -> dict[str, Reason]:
    """Return by its id the reason of every flow of a group that is not applied; none where all are."""
    if all(flow.applied for flow in group):
        return {}
    stops = {flow.id: _stops(flow) for flow in group}
    every = [one for found in stops.values() for one in found]
    answered = bool(every) and all(places.answered(one.code, one.node) for one in every)
    texts = {flow.id: _text(flow, stops[flow.id], every, places) for flow in group}
    return {name: Reason(text, answered, bool(every)) for name, text in texts.items()}


def _stops(flow: FlowPlan) -> list[Finding]:
    return [*(one for one in flow.findings if one.blocks), *flow.held]


def _text(flow: FlowPlan, own: Sequence[Finding], every: Sequence[Finding], places: Places) -> str:
    if not every:
        return f"only --unsafe-fixes changes this: {'; '.join(flow.assumptions)}"
    first = min(own or every, key=lambda one: places.location(one.node))
    at = _at(places.location(first.node))
    shared = "" if own else ", with a file it shares,"
    return f"left as it was{shared} because of {at}: {_what(first, places)}"


def _what(stop: Finding, places: Places) -> str:
    if stop.blocks:
        return stop.message
    answered = places.answered(stop.code, stop.node)
    return f"{stop.code} is {'answered' if answered else 'not selected'} there"


def _at(location: Location) -> str:
    return f"{location.path}:{location.line}"
