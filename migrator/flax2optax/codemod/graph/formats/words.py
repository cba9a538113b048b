"""The words of the pictures: short, with control characters made visible."""

from __future__ import annotations

from flax2optax.codemod.graph.shape import Fate, Flow, How, Kind, Move, Place, Role, Station
from flax2optax.codemod.summary.frame import visible

_FATES = {
    Fate.MIGRATES: "migrates, {} form",
    Fate.UNSAFE: "migrates only with --unsafe-fixes, {} form",
    Fate.STAYS: "stays",
}
_LONGEST = 120


def flow_title(flow: Flow) -> str:
    """The name of a flow, what becomes of it and why; a line for each stop."""
    name = ", ".join((flow.id, *flow.optimizers))
    lines = [f"{name}: {_FATES[flow.fate].format(flow.form)}"]
    lines += [f"{stop.code} at {_place(stop.place)}: {stop.reason}" for stop in flow.stops]
    if flow.fate is Fate.STAYS and flow.because:
        lines.append(flow.because)
    return "\n".join(_cut(visible(line)) for line in lines)


def station_words(station: Station) -> list[str]:
    """The name of a station with its line, then what happens there."""
    name = station.name if station.kind is Kind.MODULE else f"{station.name} {_line(station.place)}"
    words = [name, *(_role(role) for role in station.roles if role.at or role.what), *station.stops]
    return [_cut(visible(word)) for word in words]


def move_words(move: Move) -> str:
    """What carries the optimizer, where that is not a plain call."""
    return visible(move.by) if move.how is How.CALLBACK else ""


def _role(role: Role) -> str:
    what = f" {role.what}" if role.what else ""
    at = f" {', '.join(_line(place) for place in role.at)}" if role.at else ""
    return f"{role.does}{what}{at}"


def _line(place: Place) -> str:
    return f":{place.line}" if place.cell is None else f"cell {place.cell}:{place.line}"


def _place(place: Place) -> str:
    return f"{place.module}{'' if place.cell is None else ':'}{_line(place)}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
