"""The packages' own training, before on the real flax.optim and after on Optax, comes to the same parameters.

Both run in child processes under one launcher.
In float64 the calibrated criterion decides; in the packages' own float32 the last parameters are within 1e-6.
"""

from pathlib import Path

import numpy as np
import pytest
from ecosystem_packages import read_manifest

from flax2optax.verify.programs import CONTROLS
from flax2optax.verify.verdict import Leaves, Run, judge

MIGRATES = [one.name for one in read_manifest() if one.role == "migrates"]
PROGRAMS = {"jraph": 1, "dopamine-rl": 7}
TOLERANCE = 1e-6


@pytest.fixture(scope="module", params=MIGRATES)
def runs(request, before, after, train) -> tuple[Path, Path, int]:
    name = request.param
    old = train(name, before(name), "before")
    return old, train(name, after(name), "after"), PROGRAMS[name]


def test_in_float64_they_part_by_rounding_alone(runs):
    old, new, count = runs
    programs = sorted(path.name for path in new.iterdir())
    assert len(programs) == count
    for name in programs:
        controls = [read(old / name, f"float64-{seed}") for seed in CONTROLS]
        first = read(old / name, "float64-0")
        assert moved(first)
        assert {leaf.dtype for leaf in first[-1].values()} == {np.dtype("float64")}
        verdict = judge(first, controls, read(new / name, "float64-0"))
        assert verdict.equal, (name, verdict)


def test_in_float32_they_end_alike(runs):
    old, new, _ = runs
    for program in new.iterdir():
        last, now = read(old / program.name, "float32")[-1], read(program, "float32")[-1]
        assert last.keys() == now.keys()
        worst = max(float(np.max(np.abs(last[leaf] - now[leaf]))) for leaf in last)
        assert worst <= TOLERANCE, program.name


def test_every_program_is_another(runs):
    """A setting that does not arrive would train the same thing twice."""
    old, _, count = runs
    lasts = [read(path, "float64-0")[-1] for path in old.iterdir()]
    assert len({b"".join(leaf.tobytes() for leaf in last.values()) for last in lasts}) == count


def test_a_rule_that_is_a_little_wrong_is_seen(runs):
    """The comparison itself: a run disturbed far less than the smallest mistake is not the same run."""
    old, _, _ = runs
    for program in old.iterdir():
        first = read(program, "float64-0")
        controls = [read(program, f"float64-{seed}") for seed in CONTROLS]
        wrong = [{name: leaf * (1 + 1e-8) for name, leaf in step.items()} for step in first]
        assert not judge(first, controls, wrong).equal, program.name


def read(program: Path, run: str) -> Run:
    """The recorded steps of one run, in order."""
    steps: dict[int, dict[str, np.ndarray]] = {}
    with np.load(program / f"{run}.npz") as arrays:
        for key in arrays.files:
            number, _, leaf = key.partition("|")
            steps.setdefault(int(number), {})[leaf] = arrays[key]
    return [steps[number] for number in sorted(steps)]


def moved(steps: Run) -> bool:
    """Whether most leaves are trained (jraph's globals are zeros); a run that does nothing would prove nothing."""
    first: Leaves = steps[0]
    return sum(np.any(first[leaf] != steps[-1][leaf]) for leaf in first) > len(first) / 2
