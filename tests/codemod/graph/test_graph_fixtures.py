"""The graph of every fixture: all flows that the program reports, no station that hangs in the air, legal pictures."""

from pathlib import Path

import pytest
from graph_programs import MERMAID

from flax2optax.codemod.collect import Selection, collect
from flax2optax.codemod.graph import render
from flax2optax.codemod.graph.shape import Does, Fate
from flax2optax.codemod.outcome import Options
from flax2optax.codemod.pipeline import chart, migrate

FOLDER = Path(__file__).parents[3] / "fixtures"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/before"))
MADE = {Does.MAKES, Does.CREATES}


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_of(name: str) -> None:
    read, _ = collect([str(FOLDER / name / "before")], Selection(FOLDER))
    graph = chart(read.candidates, Options(), read.projects)
    told = migrate(read.candidates, Options(), read.projects)
    applied = {flow.id: flow.applied for flow in told.flows if flow.id.startswith("flow-")}
    assert {flow.id: flow.fate is Fate.MIGRATES for flow in graph.flows} == applied
    for flow in graph.flows:
        does = {role.does for station in flow.stations for role in station.roles}
        assert does & MADE
        assert Does.STEPS in does or flow.fate is not Fate.MIGRATES
        joined = {end for move in flow.moves for end in (move.source, move.target)}
        alone = {one.number for one in flow.stations if not one.stops} - joined
        assert len(flow.stations) == 1 or not alone
    lines = render(graph, "mermaid").splitlines()
    assert [line for line in lines if not any(one.fullmatch(line) for one in MERMAID)] == []
