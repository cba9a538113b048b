"""Each thing that keeps a proof from being made has a sentence of its own."""

from pathlib import Path

import numpy as np
import pytest

from flax2optax.verify import ReferenceUnavailableError, fetch, reference
from flax2optax.verify.child.recorder import Recorder
from flax2optax.verify.child.task import Task
from flax2optax.verify.outcome import CannotRunError, Outcome, check
from flax2optax.verify.proof import Options, prove
from flax2optax.verify.report import Report
from flax2optax.verify.runs import Command
from flax2optax.verify.trees import Trees, given, migrated


def proof(folder: Path, *words: str, seconds: float = 0) -> Report:
    trees = Trees(folder, folder)
    options = Options(fetch(), timing=False, shown="x")
    return prove(trees, Command(words, platform="cpu", seconds=seconds), options, lambda *_: None)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    found = proof(tmp_path, "no-such-command")
    assert (found.answer, found.exit_code) == ("not run", 2)
    assert (
        found.sentence == "The command was not found: no-such-command: No such file or directory."
    )


def test_a_command_that_exits_early(tmp_path: Path) -> None:
    found = proof(tmp_path, "python", "-c", "raise SystemExit('no data')")
    assert found.sentence == (
        "The program before fails for reasons of its own before its first optimizer step, "
        "with exit code 1: no data"
    )


def test_a_command_that_makes_no_step(tmp_path: Path) -> None:
    found = proof(tmp_path, "python", "-c", "pass")
    assert found.sentence == (
        "The program before ends without an optimizer step; "
        "the command does not import jax in a Python that reads `sitecustomize`."
    )


def test_a_command_that_does_not_end(tmp_path: Path) -> None:
    found = proof(tmp_path, "python", "-c", "import time; time.sleep(60)", seconds=0.5)
    assert found.sentence == "The command did not end within 0.5 seconds; give it `--steps`."


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (
            Outcome("a", Path(), 0, 1.0, told={"steps": {}}),
            "The program after ends without an optimizer step; "
            "`Optimizer.apply_gradient` or `tx.update` is never called.",
        ),
        (
            Outcome("a", Path(), 1, 1.0, ["Traceback", "KeyError: 'x'", ""], {"steps": {"s": 3}}),
            "The program after fails for reasons of its own after 3 optimizer steps, "
            "with exit code 1: KeyError: 'x'",
        ),
        (
            Outcome("a", Path(), 0, 1.0, told={"steps": {"s": 3}, "problems": ["disk full"]}),
            "The recorder failed in the program after: disk full",
        ),
    ],
)
def test_what_a_run_left_behind(outcome: Outcome, sentence: str) -> None:
    with pytest.raises(CannotRunError) as caught:
        check(outcome, "after")
    assert str(caught.value) == sentence


def test_steps_in_several_processes(tmp_path: Path) -> None:
    task, array = Task("before", str(tmp_path)), {"w": np.ones(2)}
    first, second = (Recorder(task, lambda: None) for _ in range(2))
    for recorder in (first, second, second):
        recorder.take("flax", "s", {}, {"params": array})
        recorder.close()
    assert first.problems == []
    assert second.problems == ["SeveralProcessesError: more than one process makes optimizer steps"]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="gone does not exist"), migrated(tmp_path / "gone"):
        pass


def test_a_program_that_has_nothing_to_migrate(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('hello')\n")
    with pytest.raises(CannotRunError, match="The codemod changes nothing"), migrated(tmp_path):
        pass


def test_a_revision_that_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(CannotRunError, match="v9 is neither a folder nor a git revision here"),
        given("v9", str(tmp_path), tmp_path),
    ):
        pass


def test_a_reference_that_is_not_there_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(ReferenceUnavailableError, match="cannot read"):
        reference.find(tmp_path)
    assert not list(tmp_path.iterdir())
