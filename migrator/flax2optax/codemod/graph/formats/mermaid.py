"""A picture that GitHub and GitLab show: a Mermaid flowchart, one subgraph for each flow and each module in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from flax2optax.codemod.graph.formats.words import flow_title, move_words, station_words
from flax2optax.codemod.graph.shape import Does, Flow, Graph, How, Kind, Move, Station
from flax2optax.codemod.summary.frame import visible

_PLAIN = frozenset(" .,-_/()+=*")
_CLASSES = {
    "made": "fill:#c8e6c9",
    "stepped": "fill:#bbdefb",
    "stopped": "stroke:#c62828,stroke-width:2px",
}


def render(graph: Graph) -> str:
    """Return one flowchart."""
    return "".join(f"{line}\n" for line in _lines(graph))


def _lines(graph: Graph) -> Iterator[str]:
    yield "flowchart LR"
    marked: dict[str, list[str]] = {name: [] for name in _CLASSES}
    for index, flow in enumerate(graph.flows, 1):
        yield from _flow(flow, index, marked)
    for name, stations in marked.items():
        if stations:
            yield f"  classDef {name} {_CLASSES[name]}"
            yield f"  class {','.join(stations)} {name}"


def _flow(flow: Flow, index: int, marked: dict[str, list[str]]) -> Iterator[str]:
    yield f"  subgraph g{index}[{quoted(flow_title(flow))}]"
    by_module = groupby(flow.stations, key=lambda station: station.place.module)
    for number, (module, stations) in enumerate(by_module, 1):
        yield f"    subgraph g{index}m{number}[{quoted(visible(module))}]"
        for station in stations:
            yield f"      {_name(index, station.number)}{_box(station)}"
            for mark in _marks(station):
                marked[mark].append(_name(index, station.number))
        yield "    end"
    for move in flow.moves:
        yield f"    {_arrow(index, move)}"
    yield "  end"


def quoted(text: str) -> str:
    """Return a Mermaid string; whatever is not a letter, a digit or plain punctuation is written as its code."""
    return '"' + "".join(_shown(char) for char in text) + '"'


def _shown(char: str) -> str:
    if char == "\n":
        return "<br/>"
    return char if char.isalnum() or char in _PLAIN else f"#{ord(char)};"


def _name(flow: int, station: int) -> str:
    return f"f{flow}s{station}"


def _box(station: Station) -> str:
    label = quoted("\n".join(station_words(station)))
    match station.kind:
        case Kind.FIELD:
            return f"[({label})]"
        case Kind.MODULE:
            return f"([{label}])"
    return f"[{label}]"


def _marks(station: Station) -> list[str]:
    does = {role.does for role in station.roles}
    marks = ["stopped"] if station.stops else []
    if does & {Does.MAKES, Does.CREATES}:
        return ["made", *marks]
    return ["stepped", *marks] if Does.STEPS in does else marks


def _arrow(flow: int, move: Move) -> str:
    dotted = move.how in (How.CLOSURE, How.IMPORT)
    line = "-.->" if dotted else "-->"
    if move.back:
        line = f"<{line}"
    words = move_words(move)
    label = f"|{quoted(words)}|" if words else ""
    return f"{_name(flow, move.source)} {line}{label} {_name(flow, move.target)}"
