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

SMALL_BEFORE = """
from flax import optim
import jax.numpy as jnp
optimizer = optim.GradientDescent(0.1).create({'w': jnp.ones(2)})
for _ in range(3):
  optimizer = optimizer.apply_gradient({'w': jnp.ones(2)})
"""
SMALL_AFTER = """
import jax
import jax.numpy as jnp
import optax
start = 1.
if not jax.config.jax_enable_x64:
  LINE
tx, params = optax.sgd(0.1), {'w': start * jnp.ones(2)}
state = tx.init(params)
for _ in range(3):
  updates, state = tx.update({'w': jnp.ones(2)}, state, params)
  params = optax.apply_updates(params, updates)
"""


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
            "The program after fails where the program before does not, after 3 optimizer steps, "
            "with exit code 1: KeyError: 'x'",
        ),
        (
            Outcome("a", Path(), 1, 1.0, ["ImportError: optax"], {}),
            "The program after fails where the program before does not, "
            "before its first optimizer step, with exit code 1: ImportError: optax",
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


def test_a_program_that_fails_on_its_way() -> None:
    """Its own failure, not a difference."""
    outcome = Outcome("a", Path(), 1, 1.0, ["OSError: no data"], {"steps": {"s": 3}})
    with pytest.raises(CannotRunError) as caught:
        check(outcome, "before")
    assert str(caught.value) == (
        "The program before fails for reasons of its own after 3 optimizer steps, "
        "with exit code 1: OSError: no data"
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


def both(folder: Path, after: str) -> Report:
    """A proof of two steps; the line is what the program after does outside of float64."""
    for side, program in (("before", SMALL_BEFORE), ("after", SMALL_AFTER.replace("LINE", after))):
        (folder / side).mkdir()
        (folder / side / "train.py").write_text(program)
    options = Options(fetch(), steps=2, timing=False, shown="x")
    trees = Trees(folder / "before", folder / "after")
    command = Command(["python", "train.py"], platform="cpu")
    return prove(trees, command, options, lambda *_: None)


@pytest.mark.usefixtures("quick")
def test_a_program_that_fails_only_outside_of_float64(tmp_path: Path) -> None:
    """That it trains the same in float64 does not help the one who has to run it."""
    found = both(tmp_path, "raise SystemExit('the carry has another type')")
    assert (found.answer, found.sentence) == (
        "not run",
        "The program after fails where the program before does not, "
        "before its first optimizer step, with exit code 1: the carry has another type",
    )


@pytest.mark.usefixtures("quick")
def test_a_nan_only_outside_of_float64(tmp_path: Path) -> None:
    found = both(tmp_path, "start = jnp.nan")
    assert (found.answer, found.sentence) == (
        "differs",
        "The programs differ first at step 1, in params/w: "
        "NaN or infinity in one of the two only, in the program's own type.",
    )


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
