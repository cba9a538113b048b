"""Two recordings compared: the differences first."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import LR, flax_step, optax_step, written

from flax2optax.verify.evidence import Evidence, compare_recordings
from flax2optax.verify.verdict import LIMIT

START = np.linspace(1, 2, 4)
GRADS = np.asarray([0.3, -0.2, 0.1, 0.4])
Trees = list[dict[str, Any]]


def steps(make: Any, count: int = 4, scale: float = 1.0, start: Any = START) -> Trees:
    found, params = [], start
    for number in range(count):
        new = params - LR * scale * GRADS
        found.append(make(number, {"w": params}, {"w": GRADS}, {"w": new}))
        params = new
    return found


def compared(folder: Path, old: Trees, new: Trees) -> Evidence:
    controls = [steps(flax_step, len(old), start=START * (1 + seed * 2e-16)) for seed in (1, -1, 2)]
    return compare_recordings(
        "free",
        written(folder / "old", old),
        [written(folder / f"c{at}", one) for at, one in enumerate(controls)],
        written(folder / "new", new),
    )


def test_another_number_of_steps_has_its_sentence(tmp_path: Path) -> None:
    found = compared(tmp_path, steps(flax_step), steps(optax_step, 3))
    assert not found.verdict.equal
    assert found.verdict.detail == "4 steps before, 3 after"


def test_a_changed_tree_has_its_sentence(tmp_path: Path) -> None:
    new = steps(optax_step)
    for step in new:
        for name in ("params", "grads", "new_params"):
            step[name] = {"v": step[name]["w"]}
    old = written(tmp_path / "old", steps(flax_step), stream="one")
    found = compare_recordings("free", old, [], written(tmp_path / "new", new, stream="other"))
    assert found.verdict.detail == "the tree changed: missing ['w'], added ['v']"


def test_a_nan_in_one_of_the_two_has_its_sentence(tmp_path: Path) -> None:
    new = steps(optax_step)
    new[2]["new_params"] = {"w": np.full(4, np.nan)}
    found = compared(tmp_path, steps(flax_step), new)
    assert (found.verdict.step, found.verdict.leaf) == (3, "params/w")
    assert found.verdict.detail == "NaN or infinity in one of the two only"


def test_a_nan_in_both_at_the_same_place_is_equal_and_told(tmp_path: Path) -> None:
    old, new = steps(flax_step), steps(optax_step)
    for side in (old, new):
        side[3]["new_params"] = {"w": np.asarray([np.nan, *side[3]["new_params"]["w"][1:]])}
    found = compared(tmp_path, old, new)
    assert found.verdict.equal
    assert found.notes == ("The program before has NaN or infinity in params/w from step 4 on.",)


def test_a_wrong_count_is_found(tmp_path: Path) -> None:
    new = steps(optax_step)
    new[1]["new_state"] = {"0/count": np.int32(7)}
    assert compared(tmp_path, steps(flax_step), new).verdict.leaf == "state/0/count"


def test_the_first_step_that_differs_is_named_and_the_table_has_all(tmp_path: Path) -> None:
    new = steps(optax_step, 2) + steps(optax_step)[2:]
    new[2]["new_params"] = {"w": new[2]["new_params"]["w"] + 1e-9}
    found = compared(tmp_path, steps(flax_step), new)
    assert (found.verdict.equal, found.verdict.step) == (False, 3)
    assert [ratio > LIMIT for ratio in found.table["params/w"]] == [False, False, True, False]
    assert found.deviations[2] == pytest.approx(1e-9, rel=1e-3)
    assert found.decides


def test_controls_that_start_the_same_decide_nothing(tmp_path: Path) -> None:
    same = written(tmp_path / "same", steps(flax_step))
    new = written(tmp_path / "new", steps(optax_step, scale=1.1))
    assert not compare_recordings("free", same, [same], new).decides


def test_replicas_of_devices_are_one_step(tmp_path: Path) -> None:
    old = [step for step in steps(flax_step) for _ in range(2)]
    new = [step for step in steps(optax_step) for _ in range(2)]
    found = compared(tmp_path, old, new)
    assert (found.verdict.equal, found.steps) == (True, 4)


def test_members_of_an_ensemble_are_told_apart(tmp_path: Path) -> None:
    members = [steps(make, start=START * k) for make in (flax_step, optax_step) for k in (1, 3)]
    old = [step for both in zip(*members[:2], strict=True) for step in both]
    new = [step for both in zip(*members[2:], strict=True) for step in reversed(both)]
    files = written(tmp_path / "old", old), written(tmp_path / "new", new)
    found = compare_recordings("free", files[0], [], files[1])
    assert found.verdict.equal, found.verdict
    assert sorted(found.table)[0].startswith("optimizer 1: ")
    new[5]["new_params"] = {"w": new[5]["new_params"]["w"] * 2}
    wrong = written(tmp_path / "wrong", new)
    assert not compare_recordings("free", files[0], [], wrong).verdict.equal
