"""Where flax's state is in Optax's."""

import pytest

from flax2optax.verify.states import Match, match_states


def test_a_field_that_is_nowhere_is_told() -> None:
    found, missing = match_states(["param_states/w/G"], ["0/trace/w"], ["w"], "Adagrad")
    assert (found, missing) == ([], ["param_states/w/G"])


def test_a_field_that_is_there_twice_is_told() -> None:
    after = ["a/0/mu/w", "b/0/mu/w"]
    assert match_states(["param_states/w/grad_ema"], after, ["w"], "Adam") == (
        [],
        ["param_states/w/grad_ema"],
    )


@pytest.mark.parametrize(
    ("before", "after", "params"),
    [
        ("param_states/a/w/momentum", "0/trace/a/w", ["a/w", "w"]),
        ("param_states/w/grad_sq_ema", "inner_states/g/inner_state/0/nu/w", ["w"]),
        ("param_states/momentum", "0/trace", [""]),
        ("param_states/a/w/own_field", "0/own_field/a/w", ["a/w"]),
    ],
)
def test_a_field_is_found(before: str, after: str, params: list[str]) -> None:
    (match,), missing = match_states([before], [after], params, "")
    assert (match.before, match.after, missing) == (before, after, [])


def test_lars_keeps_the_other_sign() -> None:
    (match,), _ = match_states(["param_states/w/momentum"], ["3/trace/w"], ["w"], "LARS")
    assert match.turned


def test_every_counter_is_the_step() -> None:
    found, _ = match_states(["step"], ["0/count", "2/count"], ["w"], "")
    assert found == [
        Match("state/0/count", "step", "0/count"),
        Match("state/2/count", "step", "2/count"),
    ]
