"""Small programs, and what the graph tells about them."""

import re
from collections.abc import Mapping
from typing import Any

from migration import source

from flax2optax.codemod.graph import Graph, render
from flax2optax.codemod.graph.shape import Does, Flow, How, Station
from flax2optax.codemod.outcome import Options
from flax2optax.codemod.pipeline import chart

MAKE = """from flax import optim

def make(params):
    return optim.Adam(learning_rate=0.1).create(params)
"""
STATE = """import flax
from typing import Any

@flax.struct.dataclass
class TrainState:
    step: int
    optimizer: Any
"""
STEP = """import jax

def train_step(state, batch):
    def loss_fn(params):
        return (params['w'] * batch).sum()
    grads = jax.grad(loss_fn)(state.optimizer.target)
    optimizer = state.optimizer.apply_gradient(grads)
    return state.replace(step=state.step + 1, optimizer=optimizer)
"""
MAIN = """import jax
from make import make
from state import TrainState
from step import train_step

def main(params, batches):
    state = TrainState(step=0, optimizer=make(params))
    p_step = jax.jit(train_step)
    for batch in batches:
        state = p_step(state, batch)
    return state.optimizer.target
"""
WHOLE = {"make.py": MAKE, "state.py": STATE, "step.py": STEP, "main.py": MAIN}
STOPPED = {
    "stopped.py": MAKE + "\n\ndef lose(params):\n    import unheard\n    unheard.of(make(params))\n"
}
# The lines that a picture for Mermaid may have, and nothing else.
STRING = r'"(?:[^\W_]|[ .,\-_/()+=*]|<br/>|#\d+;)*"'
NODE = r"f\d+s\d+"
MERMAID = [
    re.compile(line)
    for line in (
        r"flowchart LR",
        rf"  subgraph g\d+\[{STRING}\]",
        rf"    subgraph g\d+m\d+\[{STRING}\]",
        rf"      {NODE}(?:\[{STRING}\]|\[\({STRING}\)\]|\(\[{STRING}\]\))",
        rf"    {NODE} <?(?:-->|-\.->)(?:\|{STRING}\|)? {NODE}",
        r"    end",
        r"  end",
        r"  classDef \w+ [\w\-:,#]+",
        rf"  class {NODE}(?:,{NODE})* \w+",
    )
]


def charted(modules: Mapping[str, str], **options: Any) -> Graph:
    """The graph of modules by their names in the program."""
    return chart([source(name, text) for name, text in modules.items()], Options(**options))


def only(graph: Graph) -> Flow:
    """The one flow of a graph."""
    (flow,) = graph.flows
    return flow


def station(flow: Flow, name: str) -> Station:
    """The station of this name."""
    (found,) = [one for one in flow.stations if one.name == name]
    return found


def does(flow: Flow, name: str) -> set[tuple[Does, str]]:
    """What happens at the station of this name."""
    return {(role.does, role.what) for role in station(flow, name).roles}


def ways(flow: Flow) -> set[tuple[str, str, How]]:
    """The moves by the names of their ends."""
    names = {one.number: one.name for one in flow.stations}
    return {(names[one.source], names[one.target], one.how) for one in flow.moves}


def text(graph: Graph) -> str:
    """The graph to be read."""
    return render(graph, "text")
