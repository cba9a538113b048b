"""A text that is not right never leaves the pipeline, and the bug is told."""

from dataclasses import replace

import pytest
from migration import migrated, migrated_program, source, text_of, told

import flax2optax.codemod.pipeline as pipeline
from flax2optax.codemod.outcome import Options
from flax2optax.codemod.pipeline import migrate

STEP = """\
from flax import optim


def make(params):
  return optim.Adam(1e-3).create(params)


def step(optimizer, grads):
  return optimizer.apply_gradient(grads)


optimizer = step(make({}), {})
"""
NOTHING = "x = 1  # flax optim\n"


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch):
    """Have `rewrite` make a mistake."""
    honest = pipeline.rewrite

    def plant(old: str, new: str) -> None:
        def rewrite(planned, places):
            return {path: text.replace(old, new) for path, text in honest(planned, places).items()}

        monkeypatch.setattr(pipeline, "rewrite", rewrite)

    return plant


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("return ", "return (", "would not compile"),
        ("import optax", "import optax\nreturn", "would not compile"),
        (".apply_gradients(grads=grads)", ".apply_gradient(grads)", "is not finished"),
    ],
)
def test_a_mistake_stops_the_flow_and_is_reported(old, new, reason, spoil) -> None:
    assert not told(migrated(STEP))
    spoil(old, new)
    found = migrated(STEP)
    assert text_of(found, STEP) == STEP
    assert not any(flow.applied for flow in found.flows)
    (bug,) = [one for one in found.diagnostics if one.code == "FXO007"]
    assert reason in bug.message
    assert all(one.fix is None and one.help for one in found.diagnostics)


def test_a_mistake_is_told_whatever_is_selected(spoil) -> None:
    spoil("return ", "return (")
    found = migrated(STEP, ignore=frozenset({"FXO007"}))
    assert "FXO007" in {one.code for one in found.diagnostics}


def test_a_mistake_in_one_file_stops_only_its_own_flow(spoil) -> None:
    spoil("class Other: pass", "class Other:")
    modules = {"bad.py": STEP + "\n\nclass Other: pass\n", "good.py": STEP}
    found = migrated_program(modules)
    assert text_of(found, modules["bad.py"], "bad.py") == modules["bad.py"]
    assert text_of(found, STEP, "good.py") != STEP


def test_nothing_is_said_about_a_file_that_has_nothing_to_do_with_it() -> None:
    found = migrated(NOTHING)
    assert (found.changes, found.diagnostics, found.flows) == ((), (), ())


def test_a_file_that_this_python_never_compiled_is_not_our_mistake() -> None:
    text = STEP + "return\n"
    found = migrated(text)
    assert text_of(found, text) == text
    assert "FXO003" in {one.code for one in told(found)}
    assert "FXO007" not in {one.code for one in found.diagnostics}


def test_a_file_that_does_not_parse_is_told_and_stops_nothing() -> None:
    modules = {"bad.py": "import flax.optim\nx = (\n", "good.py": STEP}
    found = migrated_program(modules)
    assert [(one.code, one.location.path) for one in told(found)] == [("FXO003", "bad.py")]
    assert [change.source.display for change in found.changes] == ["good.py"]


def test_files_of_two_roots_are_two_programs() -> None:
    one, other = source("a.py", STEP), source("b.py", STEP)
    apart = [one, replace(other, root=other.root / "other")]
    assert len(migrate(apart, Options()).changes) == 2
