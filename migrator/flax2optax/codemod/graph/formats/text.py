"""Flow by flow, then module by module: one line for each function and field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from flax2optax.codemod.graph.shape import (
    Does,
    Fate,
    Flow,
    Graph,
    How,
    Kind,
    Place,
    Role,
    Station,
    Stop,
)
from flax2optax.codemod.mention import NOTHING_FOUND
from flax2optax.codemod.summary.frame import visible

_SHOWN = 3
_WIDEST = 40


def render(graph: Graph) -> str:
    """Return the graph to be read from top to bottom."""
    if not graph.flows and not graph.beside:
        return NOTHING_FOUND
    return "".join(f"{visible(line)}\n" if line else "\n" for line in _lines(graph))


def _lines(graph: Graph) -> Iterator[str]:
    yield _total(graph)
    for flow in graph.flows:
        yield ""
        yield from _flow(flow)
    if graph.beside:
        yield ""
        yield "in the way, and part of no flow"
        yield from (f"  {stop}" for stop in _stops(graph.beside))


def _total(graph: Graph) -> str:
    modules = {station.place.module for flow in graph.flows for station in flow.stations}
    counts = {fate: sum(flow.fate is fate for flow in graph.flows) for fate in Fate}
    parts = [
        f"{counts[fate]} {words[counts[fate] != 1]}"
        for fate, words in _COUNTED.items()
        if counts[fate]
    ]
    total = f"{_many(len(graph.flows), 'flow')} in {_many(len(modules), 'module')}"
    return f"{total}: {', '.join(parts)}." if parts else f"{total}."


_COUNTED = {
    Fate.MIGRATES: ("migrates", "migrate"),
    Fate.UNSAFE: ("migrates only with --unsafe-fixes", "migrate only with --unsafe-fixes"),
    Fate.STAYS: ("stays", "stay"),
}


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _flow(flow: Flow) -> Iterator[str]:
    name = ", ".join(flow.optimizers) or "made where it cannot be seen"
    yield f"{flow.id}: {name}: {_fate(flow)}"
    yield from (f"  stopped at {stop}" for stop in _stops(flow.stops))
    if flow.because and flow.fate is Fate.STAYS:
        yield f"  {flow.because}"
    widest = max((len(station.name) for station in flow.stations), default=0)
    ways = _ways(flow)
    for module, stations in groupby(flow.stations, key=lambda station: station.place.module):
        yield f"  {module}"
        for station in stations:
            yield _station(station, min(widest, _WIDEST), ways.get(station.number, []))


def _fate(flow: Flow) -> str:
    if flow.fate is Fate.STAYS:
        return "stays as it is"
    work = f"{flow.form} form, {_many(flow.edits, 'edit')} in {_many(len(flow.files), 'file')}"
    return f"{_COUNTED[flow.fate][0]} ({work})"


def _stops(stops: Sequence[Stop]) -> Iterator[str]:
    """One line for the same stop in many places of a module."""
    lines: dict[tuple[str, str, str], dict[str, None]] = {}
    for stop in stops:
        key = stop.place.module, stop.code, stop.reason
        lines.setdefault(key, {})[_line(stop.place)] = None
    for (module, code, reason), at in lines.items():
        yield f"{module}:{', '.join(at)}: {code} {reason}"


def _ways(flow: Flow) -> dict[int, list[str]]:
    """By station, to whom it hands the optimizer and from whom it gets one."""
    names = {station.number: station.name for station in flow.stations}
    to: dict[int, dict[str, None]] = {}
    of: dict[int, dict[str, None]] = {}
    for move in flow.moves:
        if move.how is How.CALLBACK:
            to.setdefault(move.source, {})[f"{names[move.target]} (by {move.by})"] = None
        elif move.how is How.CALL and Does.TAKES in _done(flow.stations[move.target - 1]):
            to.setdefault(move.source, {})[names[move.target]] = None
        elif move.how is How.CALL:
            of.setdefault(move.target, {})[names[move.source]] = None
    told: dict[int, list[str]] = {}
    for word, found in (("gets it from", of), ("hands it to", to)):
        for number, others in found.items():
            told.setdefault(number, []).append(f"{word} {_some(list(others))}")
    return told


def _done(station: Station) -> set[Does]:
    return {role.does for role in station.roles}


def _some(words: list[str]) -> str:
    more = f" +{len(words) - _SHOWN}" if len(words) > _SHOWN else ""
    return f"{', '.join(words[:_SHOWN])}{more}"


def _station(station: Station, width: int, ways: list[str]) -> str:
    line = _line(station.place) if station.kind is not Kind.MODULE else ""
    words = ["is a field"] if station.kind is Kind.FIELD else []
    words += [_roles(does, list(same)) for does, same in groupby(station.roles, _does)]
    words += ways
    words += [f"stopped by {', '.join(station.stops)}"] if station.stops else []
    return f"    {line:>5}  {station.name:<{width}}  {'; '.join(words)}".rstrip()


def _does(role: Role) -> Does:
    return role.does


def _roles(does: Does, roles: list[Role]) -> str:
    """Several things of one kind: `makes Adam at 99, 100, Momentum at 107`."""
    if does is Does.RETURNS:
        return "returns it"
    if does is Does.PARAMS:
        return does
    return f"{does} {_some([_role(role) for role in roles])}".replace("  ", " ")


def _role(role: Role) -> str:
    lines = f"at {_some([_line(place) for place in role.at])}" if role.at else ""
    return " ".join(part for part in (role.what, lines) if part)


def _line(place: Place) -> str:
    """In a notebook `cell:line`."""
    return str(place.line) if place.cell is None else f"{place.cell}:{place.line}"
