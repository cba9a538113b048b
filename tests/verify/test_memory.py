"""Recordings are streamed: what is in memory does not grow with the steps."""

import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import LR, flax_step, optax_step

from flax2optax.verify.evidence import compare_recordings
from flax2optax.verify.recording import Recording, Step, Writer

SIZE = 1 << 17
STEP = 8 * SIZE
"""Bytes of the one leaf."""
FEW, MANY = 4, 24
RUNS = 5
"""Before, its three controls, and after."""


def steps(make: Any, count: int, disturbed: float) -> Iterator[Mapping[str, Any]]:
    params, grads = np.linspace(1, 2, SIZE) * (1 + disturbed), np.linspace(-1, 1, SIZE)
    for number in range(count):
        new = params - LR * grads
        yield make(number, {"w": params}, {"w": grads}, {"w": new})
        params = new


def write(folder: Path, make: Any, count: int, disturbed: float = 0.0) -> Recording:
    with Writer(folder) as writer:
        for step in steps(make, count, disturbed):
            parts = {
                name: writer.part({path: np.asarray(leaf) for path, leaf in tree.items()})
                for name, tree in step.items()
            }
            writer.step(Step("s", parts))
    return Recording(folder)


def peak(work: Any) -> int:
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("memory")


def test_a_recording_is_written_step_by_step(folder: Path) -> None:
    few, many = (
        peak(lambda count=count: write(folder / f"{count}", flax_step, count))
        for count in (FEW, MANY)
    )
    assert (folder / f"{MANY}" / "leaves.bin").stat().st_size > MANY * STEP
    assert many < few + STEP


def test_recordings_are_compared_step_by_step(folder: Path) -> None:
    def compared(count: int) -> int:
        old = write(folder / f"old{count}", flax_step, count)
        noisy = [write(folder / f"c{count}-{n}", flax_step, count, n * 2e-16) for n in (1, 2, 3)]
        new = write(folder / f"new{count}", optax_step, count)
        return peak(lambda: compare_recordings("free", old, noisy, new))

    few, many = compared(FEW), compared(MANY)
    assert many < few + STEP
    assert few < 4 * RUNS * STEP  # one step of each, their stack, and which of it is finite
