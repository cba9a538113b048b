"""Time of both sides, from what their runs tell."""

from pathlib import Path

import pytest

from flax2optax.verify.measured import compile_times, speeds
from flax2optax.verify.outcome import Outcome


def outcome(**told: object) -> Outcome:
    return Outcome("a", Path(), 0, 1.0, told=told)


def test_what_both_found_compiled_is_no_difference_and_what_one_found_is() -> None:
    known = compile_times(
        outcome(compiled=[["init", 3.0], ["mul", 0.2], ["mul", 0.4]]),
        outcome(compiled=[["where", 0.5]]),
    )
    before = outcome(compiled=[["step", 1.0]], retrieved=["init", "mul"])
    after = outcome(compiled=[["step", 1.5]], retrieved=["init", "mul", "mul", "where"])
    found = speeds(before, after, 1, known)
    assert found["before"].compile == pytest.approx(1.0)
    assert found["after"].compile == pytest.approx(1.5 + 0.3 + 0.5)


def test_the_first_steps_compile_and_devices_tick_each() -> None:
    ticks = [5.0, 5.0, 9.0, 9.0, 9.5, 9.5, 10.1, 10.1]
    one = outcome(ticks=ticks, peak=7)
    found = speeds(one, one, 2, {})["before"]
    assert (found.step, found.peak, found.steps) == (pytest.approx(0.55), 7, 4)
