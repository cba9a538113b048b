"""The criterion: what is different first, then what is only rounding."""

import math
from typing import Any

import flax.core
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flax2optax.verify.precision import disturb
from flax2optax.verify.verdict import (
    Run,
    Verdict,
    judge,
    leaves_by_path,
    measure_step,
    noise_of,
)

EPS = float(np.finfo(np.float64).eps)


def run(*steps: Any) -> Run:
    return [leaves_by_path(step) for step in steps]


def one(value: Any) -> Run:
    return run({"w": np.asarray(value)})


def test_another_number_of_steps_differs() -> None:
    verdict = judge(run({"w": 1.0}, {"w": 2.0}), [], run({"w": 1.0}))
    assert verdict == Verdict(False, math.inf, "", 0, "2 steps before, 1 after")


def test_no_steps_are_no_proof() -> None:
    assert not judge([], [], []).equal


def test_another_tree_differs() -> None:
    verdict = judge(run({"a": {"w": 1.0}}), [], run({"a": {"v": 1.0}}))
    assert (verdict.equal, verdict.leaf, verdict.step) == (False, "a/w", 1)
    assert verdict.detail == "the tree changed: missing ['a/w'], added ['a/v']"


def test_another_shape_differs() -> None:
    assert (
        judge(one(np.ones(2)), [], one(np.ones((2, 1)))).detail == "shape (2,) before, (2, 1) after"
    )


def test_a_difference_beyond_the_noise_is_named() -> None:
    before = run({"w": 1.0, "b": 1.0}, {"w": 1.0, "b": 1.0})
    control = run({"w": 1.0, "b": 1.0}, {"w": 1.0, "b": 1.0 + 1e-12})
    after = run({"w": 1.0, "b": 1.0}, {"w": 1.0, "b": 1.0 + 1e-9})
    verdict = judge(before, [control], after)
    assert (verdict.equal, verdict.leaf, verdict.step) == (False, "b", 2)
    assert verdict.ratio == pytest.approx(1e3, rel=0.01)


def test_a_leaf_that_rounding_does_not_move_must_not_move() -> None:
    assert judge(one(0.0), [one(0.0)], one(1e-300)).ratio == math.inf


@pytest.mark.parametrize(("old", "new"), [(1, 2), (True, False), ("a", "b")])
def test_what_has_no_rounding_must_be_the_same(old: Any, new: Any) -> None:
    assert not judge(one(old), [one(old)], one(new)).equal
    assert judge(one(old), [one(old)], one(old)).equal


@pytest.mark.parametrize(("old", "new"), [(math.nan, 1.0), (1.0, math.nan)])
def test_a_nan_in_one_of_the_two_differs(old: float, new: float) -> None:
    assert judge(one(old), [one(old)], one(new)).detail == "NaN or infinity in one of the two only"


def test_a_nan_that_rounding_makes_is_the_programs_own() -> None:
    controls = [one([math.nan, 1.0, 2.0]), one([math.nan, math.nan, 2.0])]
    before = one([math.nan, 1.0, 2.0])
    assert judge(before, controls, one([math.nan, math.nan, 2.0])).equal
    assert not judge(before, controls, one([math.nan, 1.0, math.nan])).equal
    assert not judge(before, controls, one([math.nan, 1.0, 3.0])).equal


def test_the_same_infinity_is_equal() -> None:
    assert judge(one(math.inf), [one(math.inf)], one(math.inf)).ratio == 0
    assert not judge(one(math.inf), [one(math.inf)], one(-math.inf)).equal


def test_rounding_is_equal() -> None:
    assert judge(one(1.0), [one(1.0)], one(1.0 + 4 * EPS)).equal
    assert judge(one(1.0), [one(1.0 + 1e-9)], one(1.0 - 1e-8)).equal


def test_a_sum_that_cancels_keeps_its_rounding() -> None:
    before = run({"w": 1.0}, {"w": 0.0})
    assert judge(before, [before], run({"w": 1.0}, {"w": EPS})).equal
    assert not judge(before, [before], run({"w": 1.0}, {"w": 100 * EPS})).equal


def test_half_precision_has_its_own_unit() -> None:
    ones = jnp.ones(2, jnp.bfloat16)
    assert judge(run({"w": ones}), [], run({"w": ones * 1.01})).equal
    assert not judge(run({"w": ones}), [], run({"w": ones * 2})).equal


def test_a_frozen_dict_is_a_dict() -> None:
    tree = {"a": {"b": 1.0}}
    assert judge(run(flax.core.freeze(tree)), [], run(tree)).equal


def test_random_keys_are_compared() -> None:
    first, second = ({"key": jax.random.key(seed)} for seed in (0, 1))
    assert judge(run(first), [], run(first)).equal
    assert not judge(run(first), [], run(second)).equal


def test_disturbing_moves_every_value_by_a_unit_or_two() -> None:
    tree = {"w": jnp.linspace(1, 2, 9, dtype=jnp.float32), "n": jnp.arange(3), "z": jnp.zeros(2)}
    moved = disturb(tree, seed=1)
    gap = np.abs(np.asarray(moved["w"]) - np.asarray(tree["w"]))
    assert np.all(gap > 0)
    assert np.all(gap <= 5 * np.finfo(np.float32).eps)
    assert np.array_equal(moved["n"], tree["n"])
    assert np.array_equal(moved["z"], tree["z"])
    assert not np.array_equal(disturb(tree, seed=2)["w"], moved["w"])


def test_disturbing_leaves_arrays_of_the_host_there() -> None:
    tree = {"w": np.linspace(1, 2, 9), "n": np.arange(3)}
    moved = disturb(tree, seed=1)
    assert type(moved["w"]) is np.ndarray
    assert np.all(moved["w"] != tree["w"].astype(moved["w"].dtype))
    assert moved["n"] is tree["n"]


def test_the_noise_of_a_leaf_is_told_where_it_is_all_that_controls_say() -> None:
    runs = [np.asarray([1.0, 2.0]), np.asarray([1.5, 2.0]), np.asarray([0.5, 2.25])]
    assert noise_of(runs) == 1.0
    assert noise_of([*runs, np.asarray([np.inf, 2.0])]) is None
    assert noise_of([np.arange(2), np.arange(2)]) is None
    leaf = {"w": runs[0]}
    within = list(measure_step(1, leaf, [], {"w": runs[0] + 31}, {}, {"w": 1.0}))
    beyond = list(measure_step(1, leaf, [], {"w": runs[0] + 33}, {}, {"w": 1.0}))
    assert [one.equal for one in (*within, *beyond)] == [True, False]
