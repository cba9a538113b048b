"""Where an optimizer goes, and where it does not."""

import pytest
from graph_programs import MAKE, STOPPED, WHOLE, charted, does, only, station, ways

from flax2optax.codemod.graph.shape import Does, Fate, How, Place

NOTHING = {
    "an optimizer of another library": "import optax\n\ntx = optax.adam(0.1)\n",
    "a class of the program with the same methods": (
        "class Own:\n    def apply_gradient(self, grad):\n        return self\n\n"
        "def step(own: Own, grad):\n    return own.apply_gradient(grad)\n"
    ),
    "nothing": "",
}


@pytest.mark.parametrize("name", NOTHING)
def test_no_flow_is_drawn_for(name: str) -> None:
    assert charted({"train.py": NOTHING[name]}).flows == ()


def test_functions_that_only_get_params_are_no_stations() -> None:
    program = MAKE + (
        "\n\ndef predict(params, x):\n    return params['w'] * x\n\n"
        "def evaluate(params, x):\n    return predict(make(params).target, x)\n"
    )
    flow = only(charted({"train.py": program}))
    assert {one.name for one in flow.stations} == {"make", "evaluate"}


def test_two_optimizers_that_never_meet_are_two_flows() -> None:
    program = MAKE + (
        "\n\ndef other(params):\n    return optim.Momentum(learning_rate=0.1).create(params)\n"
    )
    made = [one.optimizers for one in charted({"train.py": program}).flows]
    assert made == [("Adam",), ("Momentum",)]


def test_a_whole_program_is_one_flow_over_its_modules() -> None:
    flow = only(charted(WHOLE))
    assert (flow.fate, flow.form, flow.stops, flow.because) == (Fate.MIGRATES, "state", (), "")
    assert {one.place.module for one in flow.stations} == set(WHOLE)
    assert does(flow, "make") == {(Does.MAKES, "Adam"), (Does.CREATES, ""), (Does.RETURNS, "")}
    field = "TrainState.optimizer"
    assert does(flow, "train_step") == {
        (Does.TAKES, "state"), (Does.READS, field), (Does.PARAMS, ""), (Does.STEPS, ""),
        (Does.STORES, field), (Does.RETURNS, ""),
    }  # fmt: skip
    assert station(flow, field).place == Place("state.py", 7)


def test_the_moves_of_a_whole_program() -> None:
    assert ways(only(charted(WHOLE))) == {
        ("make", "main", How.CALL),
        ("main", "TrainState.optimizer", How.FIELD),
        ("TrainState.optimizer", "main", How.FIELD),
        ("main", "train_step", How.CALL),
        ("TrainState.optimizer", "train_step", How.FIELD),
        ("train_step", "TrainState.optimizer", How.FIELD),
    }


WAYS = {
    "a library calls it back": (
        "import jax\n\n\ndef run(params, xs):\n    def body(optimizer, x):\n"
        "        return optimizer.apply_gradient(x), 0\n"
        "    return jax.lax.scan(body, make(params), xs)\n",
        ("run", "run.body", How.CALLBACK),
    ),
    "a closure": (
        "\n\ndef outer(params):\n    optimizer = make(params)\n    def inner(grad):\n"
        "        return optimizer.apply_gradient(grad)\n    return inner\n",
        ("outer", "outer.inner", How.CLOSURE),
    ),
    "a global": (
        "\n\noptimizer = make({'w': 1.0})\n\ndef step(grad):\n"
        "    return optimizer.apply_gradient(grad)\n",
        ("(top level)", "step", How.CLOSURE),
    ),
    "a property": (
        "\n\nclass Agent:\n    def __init__(self, params):\n        self._own = make(params)\n"
        "    @property\n    def opt(self):\n        return self._own\n"
        "    def step(self, grad):\n        return self.opt.apply_gradient(grad)\n",
        ("Agent.opt", "Agent.step", How.CALL),
    ),
    "an attribute among several targets": (
        "\n\nclass Agent:\n    def __init__(self, params):\n        self.opt, self.n = make(params), 0\n"
        "    def step(self, grad):\n        return self.opt.apply_gradient(grad)\n",
        ("Agent.__init__", "Agent.opt", How.FIELD),
    ),
    "a generator": (
        "\n\ndef states(params, grads):\n    optimizer = make(params)\n    for grad in grads:\n"
        "        optimizer = optimizer.apply_gradient(grad)\n        yield optimizer\n\n"
        "def last(params, grads):\n    for optimizer in states(params, grads):\n        pass\n"
        "    return optimizer.target\n",
        ("states", "last", How.CALL),
    ),
    "a partial": (
        "from functools import partial\n\n\ndef step(optimizer, grad):\n"
        "    return optimizer.apply_gradient(grad)\n\n"
        "def run(params, grad):\n    return partial(step, make(params))(grad)\n",
        ("run", "step", How.CALL),
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_it_goes_through(name: str) -> None:
    program, way = WAYS[name]
    assert way in ways(only(charted({"train.py": MAKE + program})))


def test_an_import_of_an_optimizer_is_a_way() -> None:
    modules = {
        "made.py": MAKE + "\n\noptimizer = make({'w': 1.0})\n",
        "step.py": (
            "from made import optimizer\n\ndef step(grad):\n"
            "    return optimizer.apply_gradient(grad)\n"
        ),
    }
    flow = only(charted(modules))
    assert ("(top level)", "(top level)", How.IMPORT) in ways(flow)
    assert ("(top level)", "step", How.CLOSURE) in ways(flow)


def test_what_stops_a_flow_is_told_with_its_place() -> None:
    flow = only(charted(STOPPED))
    assert flow.fate is Fate.STAYS
    assert [(one.code, one.place) for one in flow.stops] == [("FXO309", Place("stopped.py", 9))]
    assert "unheard.of" in flow.stops[0].reason
    assert station(flow, "lose").stops == ("FXO309",)
    assert station(flow, "make").stops == ()


def test_what_another_flow_stops_says_so() -> None:
    program = STOPPED["stopped.py"] + (
        "\n\ndef other(params):\n    return optim.Momentum(learning_rate=0.1).create(params)\n"
    )
    first, second = charted({"stopped.py": program}).flows
    assert (first.because, second.stops) == ("", ())
    assert "stopped.py:9" in second.because


@pytest.mark.parametrize("unsafe", [False, True])
def test_a_flow_that_is_assumed_needs_a_flag(unsafe: bool) -> None:
    program = "def step(optimizer, grad):\n    return optimizer.apply_gradient(grad)\n"
    flow = only(charted({"step.py": program}, unsafe=unsafe))
    assert (flow.fate, flow.optimizers) == (Fate.UNSAFE, ())


@pytest.mark.parametrize(
    ("options", "fate"),
    [
        ({}, Fate.MIGRATES),
        ({"ignore": frozenset({"FXO301"})}, Fate.STAYS),
        ({"form": "explicit"}, Fate.STAYS),
    ],
    ids=str,
)
def test_the_decisions_are_those_of_the_migration(options: dict[str, object], fate: Fate) -> None:
    flow = only(charted(WHOLE, **options))
    assert (flow.fate, bool(flow.stops)) == (fate, fate is Fate.STAYS)


def test_what_belongs_to_no_optimizer_is_told_beside() -> None:
    program = "import flax\n\ndef build(name):\n    return getattr(flax.optim, name)\n"
    graph = charted({"build.py": program})
    assert graph.flows == ()
    assert {(one.code, one.place.line) for one in graph.beside} == {("FXO901", 4)}
