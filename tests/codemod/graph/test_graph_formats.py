"""The text, and pictures that other programs read whatever a program is called."""

import json
import re
import warnings

import pydot
import pytest
from graph_programs import MAKE, MERMAID, STOPPED, WHOLE, charted, only, text

from flax2optax.codemod.graph import FORMATS, Graph, render
from flax2optax.codemod.graph.shape import Fate, Flow, How, Kind, Move, Place, Station, Stop

WORDS = [
    'a "quote" and a \\',
    "]end[ (x) {y} <z>",
    "line\nline",
    "%%{init: {}}%% style: #1;",
    "größe Δ 数",
    "`tick` | pipe",
    "\x1b[31mred\u202e",
    "subgraph end",
]
TEXT = """\
1 flow in 4 modules: 1 migrates.

flow-1: Adam: migrates (state form, 6 edits in 3 files)
  main.py
        6  main                  reads TrainState.optimizer; reads its params; stores TrainState.optimizer; gets it from make; hands it to train_step
  make.py
        3  make                  makes Adam at 4; creates at 4; returns it
  state.py
        7  TrainState.optimizer  is a field
  step.py
        3  train_step            takes state; reads TrainState.optimizer; reads its params; steps at 7; stores TrainState.optimizer; returns it
"""


def test_the_text_of_a_whole_program() -> None:
    assert edits_left_out(text(charted(WHOLE))) == edits_left_out(TEXT)


def edits_left_out(told: str) -> str:
    return re.sub(r"\d+ edits", "edits", told)


def test_the_text_of_what_stays() -> None:
    told = text(charted(STOPPED))
    assert told.startswith("1 flow in 1 module: 1 stays.\n\nflow-1: Adam: stays as it is\n")
    assert "  stopped at stopped.py:9: FXO309 the optimizer goes into unheard.of, which" in told
    assert "lose  gets it from make; stopped by FXO309\n" in told


def test_the_same_stop_in_many_places_is_one_line() -> None:
    again = "    unheard.of(make(params))\n"
    told = text(charted({"stopped.py": STOPPED["stopped.py"] + again}))
    assert told.count("stopped at") == 1
    assert "stopped.py:9, 10: FXO309" in told


def test_nothing_is_said_in_the_words_of_a_run() -> None:
    assert text(Graph()) == "No use of flax.optim found.\n"


def nasty(word: str) -> Graph:
    """Every text of a graph is the word."""
    stations = tuple(
        Station(number, kind, word, Place(word, number), (), (word,))
        for number, kind in enumerate(Kind, 1)
    )
    moves = tuple(Move(1, 2, how, back, word) for how in How for back in (True, False))
    stop = Stop(word, Place(word, 1), word)
    flow = Flow(word, (word,), Fate.STAYS, word, 1, (word,), (stop,), word, stations, moves)
    return Graph((flow,), (stop,))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("name", FORMATS)
def test_no_format_lets_a_control_character_through(name: str, word: str) -> None:
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", render(nasty(word), name))


def read_dot(told: str) -> pydot.Dot:
    """The graph as pydot reads it; some of its releases use names that its parser has given up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        (graph,) = pydot.graph_from_dot_data(told)
    return graph


@pytest.mark.parametrize("word", WORDS)
def test_dot_is_read_whatever_the_names(word: str) -> None:
    graph = read_dot(render(nasty(word), "dot"))
    (flow,) = graph.get_subgraphs()
    modules = flow.get_subgraphs()
    assert [len(module.get_nodes()) for module in modules] == [len(Kind)]
    assert len(flow.get_edges()) == 2 * len(How)


def test_dot_shows_the_names_of_the_program() -> None:
    graph = read_dot(render(charted(WHOLE), "dot"))
    (flow,) = graph.get_subgraphs()
    shown = {module.get_label().strip('"') for module in flow.get_subgraphs()}
    assert shown == set(WHOLE)


@pytest.mark.parametrize("word", WORDS)
def test_mermaid_keeps_to_its_grammar_whatever_the_names(word: str) -> None:
    lines = render(nasty(word), "mermaid").splitlines()
    assert [line for line in lines if not any(one.fullmatch(line) for one in MERMAID)] == []
    assert sum(line.strip() == "end" for line in lines) == sum("subgraph g" in one for one in lines)


def test_mermaid_gives_the_words_back() -> None:
    told = render(nasty('a "b" [c]; #1'), "mermaid")
    again = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), told)
    assert '|"a "b" [c]; #1"|' in again


def test_json_has_every_flow_as_it_is() -> None:
    plain = json.loads(render(charted(STOPPED), "json"))
    assert plain["schema_version"] == 1
    (flow,) = plain["flows"]
    assert (flow["fate"], flow["optimizers"], flow["files"]) == ("stays", ["Adam"], ["stopped.py"])
    assert [one["code"] for one in flow["stops"]] == ["FXO309"]
    numbers = {one["number"] for one in flow["stations"]}
    assert {end for one in flow["moves"] for end in (one["source"], one["target"])} <= numbers


def test_string_annotations_do_not_reach_the_pictures() -> None:
    program = MAKE + '\n\ndef step(optimizer: "a\\n]\\"", grad):\n    return optimizer.target\n'
    graph = charted({"train.py": program + "\nstep(make({}), 0)\n"})
    assert only(graph).stations
    for name in ("dot", "mermaid", "text"):
        assert "]\\" not in render(graph, name)
