"""Several programs in one run do not mix, though their files and flows are called alike."""

from dataclasses import replace
from pathlib import Path

from migration import source, told

from flax2optax.codemod.outcome import Options, Outcome
from flax2optax.codemod.pipeline import chart, migrate
from flax2optax.codemod.source import SourceFile
from flax2optax.codemod.summary import Report, State, make_report

WHOLE = """from flax import optim

def make(params):
    return optim.Adam(learning_rate=0.1).create(params)
"""
STUCK = f"{WHOLE}\nimport unheard\nunheard.of(make(0))\n"


def programs() -> list[SourceFile]:
    found = [source("train.py", text) for text in (WHOLE, STUCK)]
    return [
        replace(one, root=Path(f"/{name}"), path=Path(f"/{name}/train.py"), display=f"{name}/train.py")
        for one, name in zip(found, ("a", "b"), strict=True)
    ]  # fmt: skip


def test_what_stops_one_program_is_not_told_of_the_other() -> None:
    outcome = migrate(programs(), Options(todo=False))
    assert [one.source.display for one in outcome.changes] == ["a/train.py"]
    assert {one.location.path for one in told(outcome)} == {"b/train.py"}
    states = {one.diagnostic.location.path: one.state for one in report(outcome).findings}
    assert states == {"a/train.py": State.FIXABLE, "b/train.py": State.MANUAL}


def report(outcome: Outcome) -> Report:
    return make_report(outcome, programs(), wrote=False)


def test_flows_are_named_apart_and_alike_in_report_and_graph() -> None:
    named = {flow.id for flow in migrate(programs(), Options()).flows}
    assert len(named) == 2
    assert {flow.id for flow in chart(programs(), Options()).flows} == named


def test_a_program_alone_keeps_plain_names() -> None:
    (flow,) = migrate(programs()[:1], Options()).flows
    assert flow.id == "flow-1"
