"""What the user does not want touched stays as it was, with everything that hangs together with it."""

import pytest
from migration import (
    check,
    check_refused,
    check_unchanged,
    migrated,
    migrated_program,
    text_of,
    told,
)

from flax2optax.codemod.codes import CODES
from flax2optax.codemod.diagnostic import Applicability, Severity

STEP = """\
from flax import optim


def make(params):
  return optim.Adam(1e-3).create(params)


def step(optimizer, grads):
  return optimizer.apply_gradient(grads)


optimizer = step(make({}), {})
"""
FREE = """\
def step(optimizer, grads):
  return optimizer.apply_gradient(grads), optimizer.target
"""
STUCK = STEP.replace("(grads)\n", "(grads, **overrides)\n").replace(
    "r, grads", "r, grads, overrides"
)


def codes_of(found) -> set[str]:
    return {one.code for one in found.diagnostics}


def test_the_examples_are_what_they_are_said_to_be() -> None:
    assert not told(migrated(STEP))
    check_refused(STUCK, "FXO502")
    check_unchanged("import optax\n\ntx = optax.adam(1e-3)\n")


@pytest.mark.parametrize("code", ["FXO201", "FXO301", "FXO302"])
@pytest.mark.parametrize("how", ["ignore", "select"])
def test_a_flow_with_a_deselected_edit_is_left_whole(code: str, how: str) -> None:
    codes = frozenset({code}) if how == "ignore" else frozenset(CODES) - {code}
    found = migrated(STEP, **{how: codes})
    assert text_of(found, STEP) == STEP
    assert codes_of(found) == {"FXO201", "FXO301", "FXO302"} - {code}
    assert all(one.fix is None for one in found.diagnostics)
    assert all(f"{code} is not selected there" in one.help for one in found.diagnostics)


def test_a_code_that_is_not_there_makes_no_difference() -> None:
    assert migrated(STEP, ignore=frozenset({"FXO402"})).changes == migrated(STEP).changes


def test_a_deselected_reason_is_not_told_but_still_stops() -> None:
    found = migrated(STUCK, ignore=frozenset({"FXO502"}))
    assert text_of(found, STUCK) == STUCK
    assert codes_of(found) == {"FXO201", "FXO301", "FXO302"}


def test_an_assumed_flow_waits_for_unsafe_fixes() -> None:
    found = migrated(FREE)
    assert found.changes == ()
    assert {one.fix for one in found.diagnostics} == {Applicability.UNSAFE}
    assert all("--unsafe-fixes" in one.help for one in found.diagnostics)
    assert "apply_gradients(grads=grads)" in text_of(migrated(FREE, unsafe=True), FREE)


def test_every_finding_of_a_stopped_flow_names_the_reason() -> None:
    found = migrated(STUCK, todo=False)
    line = STUCK[: STUCK.index("**overrides")].count("\n") + 1
    others = [one for one in found.diagnostics if one.code != "FXO502"]
    assert len(others) == 3
    for one in others:
        assert one.fix is None
        assert one.help.startswith(f"left as it was because of train.py:{line}: ")


def test_a_flow_that_only_shares_a_file_says_so() -> None:
    text = STUCK + "\nother = optim.Momentum(0.1).create({}).apply_gradient({})\n"
    found = migrated(text, todo=False)
    last = [one for one in found.diagnostics if one.location.line == text.count("\n")]
    assert len(last) == 3
    for one in last:
        assert one.help.startswith("left as it was, with a file it shares, because of train.py:")


def test_a_flow_of_another_file_goes_ahead() -> None:
    found = migrated_program({"a.py": STUCK, "b.py": STEP}, todo=False)
    assert [change.source.display for change in found.changes] == ["b.py"]


def test_an_edit_names_the_company_it_is_in() -> None:
    found = migrated(STEP)
    assert all("belong to this flow" in one.help for one in found.diagnostics)
    assert all(one.severity is Severity.ERROR for one in found.diagnostics)


def test_tabs_stay_tabs() -> None:
    tabbed = STEP.replace("  ", "\t")
    after = text_of(migrated(tabbed), tabbed)
    assert "\treturn optimizer.apply_gradients(grads=grads)\n" in after
    assert after == text_of(migrated(STEP), STEP).replace("\n  ", "\n\t")


def test_a_table_of_before_and_after_can_be_written() -> None:
    before = "from flax import optim\n\ntx = optim.Adam(1e-3)\n"
    check(before, "import optax\n\ntx = optax.adam(1e-3)\n")
    with pytest.raises(AssertionError):
        check(before, before)
    with pytest.raises(AssertionError):
        check_refused(before, "FXO201")
    with pytest.raises(AssertionError):
        check_unchanged(before)
