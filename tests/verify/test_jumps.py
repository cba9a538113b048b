"""Which counters a short run visits."""

from pathlib import Path

import pytest

from flax2optax.verify.jumps import boundaries_in, plan_jumps, visited


def test_without_a_limit_only_the_first_steps_are_planned() -> None:
    assert plan_jumps(0) == {}


def test_a_boundary_is_met_before_and_at_itself_and_counters_only_go_up() -> None:
    counters = visited(20, [3900, 250])
    assert len(counters) <= 20
    assert counters == sorted(set(counters))
    assert {3899, 3900, 249, 250, 999, 1000, 9999, 10_000} <= set(counters)


def test_a_plan_leads_from_counter_to_counter() -> None:
    jumps, counters = plan_jumps(14, [3900]), visited(14, [3900])
    walked = [0]
    while len(walked) < len(counters):
        walked.append(jumps.get(walked[-1] + 1, walked[-1] + 1))
    assert walked == counters


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10, 20, 100])
def test_never_more_steps_than_there_are(steps: int) -> None:
    assert len(visited(steps, [100, 101, 102])) <= max(steps, 2)


def test_numbers_of_the_program_are_boundaries(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("DROP = 3900\nhidden = 64\nok = True\nlr = 0.1\nend = 1e4\n")
    (tmp_path / "broken.py").write_text("def (:\n")
    assert boundaries_in(tmp_path) == [3900, 10_000, 64]
