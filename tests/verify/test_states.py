"""Where flax's state is in Optax's."""

from functools import partial

import numpy as np
import pytest

from flax2optax.verify.states import Match, match_states, with_signs


def test_a_field_that_is_nowhere_is_told() -> None:
    found, missing = match_states(["param_states/w/G"], ["0/trace/w"], ["w"])
    assert (found, missing) == ([], ["param_states/w/G"])


def test_a_field_that_is_there_twice_is_told() -> None:
    after = ["a/0/mu/w", "b/0/mu/w"]
    assert match_states(["param_states/w/grad_ema"], after, ["w"]) == (
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
    (match,), missing = match_states([before], [after], params)
    assert (match.before, match.after, missing) == (before, after, [])


@pytest.mark.parametrize(
    ("old", "new", "turned"),
    [
        ([[0.0, 0.0]], [[0.0, 0.0]], False),
        ([[1.0, 2.0]], [[1.0, 2.0]], False),
        ([[1.0, 2.0]], [[-1.0, -2.0]], True),
        ([[0.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [-1.0, -2.0]], True),
        ([[1.0, 2.0]], [[-1.0]], False),
    ],
)
def test_a_momentum_may_have_the_other_sign(
    old: list[list[float]], new: list[list[float]], turned: bool
) -> None:
    """After the rate, as in LARS, it is the trace of updates and not of gradients."""
    found, _ = match_states(["param_states/w/momentum"], ["3/trace/w"], ["w"])
    steps = [
        (partial(read, one), partial(read, other)) for one, other in zip(old, new, strict=True)
    ]
    assert [match.turned for match in with_signs(found, steps)] == [turned]


def test_what_is_no_momentum_keeps_its_sign() -> None:
    found, _ = match_states(["param_states/w/grad_ema"], ["0/mu/w"], ["w"])
    assert not with_signs(found, [(partial(read, [1.0]), partial(read, [-1.0]))])[0].turned


def test_a_leaf_without_gradients_has_the_sign_of_its_buffer() -> None:
    paths = ["param_states/a/m", "param_states/b/m"]
    found, _ = match_states(paths, ["0/ema/a", "0/ema/b"], ["a", "b"])
    old = {"param_states/a/m": np.zeros(2), "param_states/b/m": np.ones(2)}
    new = {"0/ema/a": np.zeros(2), "0/ema/b": -np.ones(2)}
    matches = with_signs(found, [(old.__getitem__, new.__getitem__)])
    assert [match.turned for match in matches] == [True, True]


def read(values: list[float], path: str) -> np.ndarray:
    return np.asarray(values)


def test_every_counter_is_the_step() -> None:
    found, _ = match_states(["step"], ["0/count", "2/count"], ["w"])
    assert found == [
        Match("state/0/count", "step", "0/count"),
        Match("state/2/count", "step", "2/count"),
    ]
