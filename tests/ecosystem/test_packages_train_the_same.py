"""The packages' own training is proven the same by `flax2optax verify`, one command each, their sources as published."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ecosystem_packages import read_manifest

LAUNCHER = Path(__file__).with_name("launch.py")
MIGRATES = [one.name for one in read_manifest() if one.role == "migrates"]
OPTIMIZERS = {"jraph": 1, "dopamine-rl": 7}
STEPS = {"jraph": 20, "dopamine-rl": 7 * 30}
QUIETLY = ("--platform", "cpu", "--no-timing", "-q", "--output-format", "json")


@pytest.fixture
def verify(tool, tmp_path, monkeypatch):
    """The report of a proof; steps are tiny and compiling them is not, so XLA's optimizations are off."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

    def run(name: str, *trees: str | Path) -> dict[str, Any]:
        command = ("--", "python", LAUNCHER, name)
        done = tool("verify", *trees, *QUIETLY, *command, cwd=tmp_path)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize("name", MIGRATES)
def test_a_package_trains_the_same(name, before, verify):
    found = verify(name, before(name), "--steps", "0" if name == "dopamine-rl" else "20")
    assert found["answer"] == "equal to rounding", found["sentence"]
    assert [(one["name"], one["verdict"]["equal"]) for one in found["evidence"]] == [
        ("free run in float64", True),
        ("replay in float64", True),
        ("free run in the program's own type", True),
    ]
    free, replay, _ = found["evidence"]
    assert free["steps"] == replay["steps"] == STEPS[name]
    assert (
        len({leaf.partition(": ")[0] if ": " in leaf else "" for leaf in free["table"]})
        == (OPTIMIZERS[name])
    )
    assert free["disturbed"]
    assert len(found["losses"]["before"]) == STEPS[name]


def test_a_rate_that_is_a_little_wrong_is_seen(before, after, verify, tmp_path):
    wrong = Path(shutil.copytree(after("jraph"), tmp_path / "wrong"))
    module = wrong / "jraph" / "ogb_examples" / "train_flax.py"
    text = module.read_text()
    assert text.count("optax.adam(1e-4)") == 1
    module.write_text(text.replace("adam(1e-4)", "adam(1e-4 * (1 + 1e-8))"))
    trees = ("--before", before("jraph"), "--after", wrong, "--steps", "3")
    found = verify("jraph", *trees)
    assert (found["answer"], found["step"]) == ("differs", 1)


def test_a_package_that_fails_for_reasons_of_its_own_is_no_difference(before, verify, tmp_path):
    broken = Path(shutil.copytree(before("jraph"), tmp_path / "broken"))
    module = broken / "jraph" / "ogb_examples" / "train_flax.py"
    module.write_text(module.read_text().replace("def train(", "def train(missing, "))
    found = verify("jraph", broken)
    assert (found["answer"], found["exit_code"]) == ("not run", 2)
    assert found["sentence"].startswith(
        "The program before fails for reasons of its own before its first optimizer step, "
        "with exit code 1: TypeError: "
    )
