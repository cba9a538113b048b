"""What is on disk: what is lost first, then what is kept."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from recordings import written

from flax2optax.verify.recording import LEAVES, STEPS, Recording, Writer


def test_a_line_that_was_cut_off_is_no_step(tmp_path: Path) -> None:
    written(tmp_path, [{"params": {"w": 1.0}}, {"params": {"w": 2.0}}])
    whole = (tmp_path / STEPS).read_text()
    (tmp_path / STEPS).write_text(whole[:-5])
    assert len(Recording(tmp_path).steps) == 1


def test_nothing_recorded_is_no_steps(tmp_path: Path) -> None:
    assert Recording(tmp_path).steps == ()


def test_other_types_and_shapes_are_other_arrays(tmp_path: Path) -> None:
    zeros = [np.zeros(4, np.float32), np.zeros(4, np.int32), np.zeros((2, 2), np.float32)]
    with Writer(tmp_path) as writer:
        assert len({writer.leaf(one) for one in zeros}) == 3


def test_the_same_array_is_written_once(tmp_path: Path) -> None:
    array = np.arange(1000.0)
    written(tmp_path, [{"params": {"w": array, "v": array.copy()}} for _ in range(5)])
    assert (tmp_path / LEAVES).stat().st_size == array.nbytes


def test_what_was_written_is_read(tmp_path: Path) -> None:
    trees = {
        "half": np.asarray([1.5, -2], ml_dtypes.bfloat16),
        "whole": np.arange(6, dtype=np.int32).reshape(2, 3).T,
        "one": np.float64(np.nan),
    }
    recording = written(tmp_path, [{"params": trees}])
    found = recording.tree(recording.steps[0].parts["params"])
    for name, array in trees.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == np.asarray(array).dtype


def test_a_program_may_put_back_what_numpy_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "bool", bool)
    recording = written(tmp_path, [{"hyper": {"centered": np.asarray(True)}}])
    (ref,) = recording.steps[0].parts["hyper"].values()
    assert recording.array(ref).item() is True
