"""The catalogue, and the summary of its command."""

import pytest

from flax2optax.verify.mutants.catalogue import MUTANTS
from flax2optax.verify.mutants.judge import Judged, summary
from flax2optax.verify.verdict import LIMIT, Verdict


def judged(mutant: str, ratio: float) -> Judged:
    return Judged("MLP", "optim.Adam(1e-3)", mutant, Verdict(ratio <= LIMIT, ratio, "w", 1, ""))


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([judged("a", 1e6), judged("", 1.0)], 0),
        ([judged("a", 2.0), judged("", 1.0)], 1),
        ([judged("a", 1e6), judged("", 99.0)], 1),
    ],
)
def test_a_wrong_verdict_is_counted(found: list[Judged], code: int) -> None:
    lines: list[str] = []
    assert summary(found, lines.append) == code
    assert lines[2] == f"1 mutants, 1 right migrations, {code} wrong verdicts"
    assert any(line.startswith("WRONG") for line in lines) == bool(code)


def test_there_are_more_than_fifty_and_each_is_another() -> None:
    assert len(MUTANTS) >= 50
    assert len({(m.program, m.optax, m.slip) for m in MUTANTS.values()}) == len(MUTANTS)
    for name, mutant in MUTANTS.items():
        assert bool(mutant.slip) != bool(mutant.optax), name
        assert mutant.optax != mutant.program.optax, name
