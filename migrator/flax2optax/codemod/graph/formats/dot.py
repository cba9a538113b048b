"""A picture for Graphviz: one cluster for each flow, in it one for each module."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from flax2optax.codemod.graph.formats.words import flow_title, move_words, station_words
from flax2optax.codemod.graph.shape import Does, Fate, Flow, Graph, How, Kind, Move, Station
from flax2optax.codemod.summary.frame import visible

_FATES = {Fate.MIGRATES: "#2e7d32", Fate.UNSAFE: "#b26a00", Fate.STAYS: "#c62828"}
_STYLES = {
    How.CALL: "solid",
    How.CALLBACK: "solid",
    How.CLOSURE: "dashed",
    How.FIELD: "solid",
    How.IMPORT: "dotted",
}


def render(graph: Graph) -> str:
    """Return one digraph."""
    return "".join(f"{line}\n" for line in _lines(graph))


def _lines(graph: Graph) -> Iterator[str]:
    yield "digraph flax2optax {"
    yield '  graph [rankdir="LR", fontname="sans-serif", compound="true"];'
    yield '  node [shape="box", fontname="sans-serif", fontsize="10"];'
    yield '  edge [fontname="sans-serif", fontsize="9"];'
    for index, flow in enumerate(graph.flows, 1):
        yield from _flow(flow, index)
    yield "}"


def _flow(flow: Flow, index: int) -> Iterator[str]:
    yield f'  subgraph "cluster_{index}" {{'
    yield f"    label={quoted(flow_title(flow))};"
    yield f'    color="{_FATES[flow.fate]}";'
    by_module = groupby(flow.stations, key=lambda station: station.place.module)
    for number, (module, stations) in enumerate(by_module, 1):
        yield f'    subgraph "cluster_{index}_{number}" {{'
        yield f"      label={quoted(visible(module))};"
        yield '      color="#9e9e9e";'
        for station in stations:
            yield f"      {_name(index, station.number)} [{_look(station)}];"
        yield "    }"
    for move in flow.moves:
        ends = f"{_name(index, move.source)} -> {_name(index, move.target)}"
        yield f"    {ends} [{_line(move)}];"
    yield "  }"


def quoted(text: str) -> str:
    """Return a string of the DOT language: quotes and backslashes escaped, line ends as `\\n`, no other control."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def _name(flow: int, station: int) -> str:
    return f'"f{flow}s{station}"'


def _look(station: Station) -> str:
    does = {role.does for role in station.roles}
    shape = {Kind.FIELD: "cylinder", Kind.MODULE: "note"}.get(station.kind, "box")
    look = {"label": "\n".join(station_words(station)), "shape": shape}
    if station.stops:
        look |= {"color": "#c62828", "penwidth": "2"}
    if does & {Does.MAKES, Does.CREATES}:
        look |= {"style": "filled", "fillcolor": "#c8e6c9"}
    elif Does.STEPS in does:
        look |= {"style": "filled", "fillcolor": "#bbdefb"}
    return ", ".join(f"{key}={quoted(value)}" for key, value in look.items())


def _line(move: Move) -> str:
    look = {"style": _STYLES[move.how]}
    if move.back:
        look["dir"] = "both"
    if words := move_words(move):
        look["label"] = words
    return ", ".join(f"{key}={quoted(value)}" for key, value in look.items())
