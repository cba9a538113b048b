"""The whole program on the fixtures: what it writes, what it prints, what it answers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_driver import Run

import flax2optax.codemod.pipeline as real_pipeline

FIXTURES = Path(__file__).parents[2] / "fixtures"
WHOLE, STUCK, OTHER = "guide_basic_loop", "refused_unknown_overrides", "refused_own_optim_module"


PATCHED = (
    WHOLE,
    STUCK,
    OTHER,
    "windows_line_ends",
    "no_final_newline",
    "made_here_kept_there_stepped_elsewhere",
    "guide_multi_optimizer",
    "reexported_names",
)


@pytest.fixture
def real(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setitem(sys.modules, "flax2optax.codemod.pipeline", real_pipeline)
    return run


def fixture(name: str) -> Path:
    shutil.copytree(FIXTURES / name / "before", name, ignore=shutil.ignore_patterns("__pycache__"))
    return Path(name) / "train.py"


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        (OTHER, [], 0),
        (OTHER, ["--check"], 0),
        (WHOLE, [], 0),
        (WHOLE, ["--check"], 1),
        (WHOLE, ["--diff"], 1),
        (WHOLE, ["--diff", "--exit-zero"], 0),
        (WHOLE, ["--exit-non-zero-on-fix"], 1),
        (WHOLE, ["--ignore", "FXO301"], 1),
        (STUCK, [], 1),
        (STUCK, ["--no-todo"], 1),
        (STUCK, ["--exit-zero"], 0),
    ],
)
def test_the_exit_code_tells_whether_something_is_left(
    name: str, arguments: list[str], code: int, real: Run
) -> None:
    fixture(name)
    assert real(name, *arguments).code == code


def test_check_reports_and_plans_no_marker(real: Run) -> None:
    file = fixture(STUCK)
    before = file.read_bytes()
    ran = real("check", STUCK)
    assert (ran.code, file.read_bytes()) == (1, before)
    assert "FXO502" in ran.out and "0 fixable, 6 need you" in ran.out


def test_a_program_is_migrated_once(real: Run) -> None:
    file = fixture(WHOLE)
    assert "optax" not in file.read_text()
    assert real(WHOLE).out == "Found 5 findings in 1 file, 1 flow. 5 fixed, 0 need you.\n"
    after = file.read_bytes()
    assert b"optax.sgd(" in after and b"flax.optim" not in after
    again = real(WHOLE)
    assert (again.code, again.out) == (0, "No use of flax.optim found.\n")
    assert file.read_bytes() == after


def test_a_marker_keeps_the_exit_code_at_1_until_it_is_answered(real: Run) -> None:
    file = fixture(STUCK)
    assert real(STUCK).code == 1
    marked = file.read_text()
    assert marked.count("# TODO(flax2optax): FXO502 ") == 1
    assert real(STUCK).code == 1
    assert file.read_text() == marked
    lines = [line for line in marked.splitlines() if "TODO" not in line]
    answer = "  # flax2optax: ignore[FXO502] they come from a file"
    file.write_text("\n".join(line + answer * ("**overrides)" in line) for line in lines))
    ran = real(STUCK)
    assert (ran.code, ran.err) == (0, "")
    assert "need you" in ran.out and "0 need you" in ran.out


def test_a_marker_alone_keeps_the_exit_code_at_1(real: Run) -> None:
    Path("a.py").write_text("# TODO(flax2optax): FXO402 Once there was a group here.\nx = 1\n")
    ran = real("a.py", "--output-format", "concise")
    assert ran.code == 1
    assert ran.out.startswith("a.py:1:1: FXO804 ")
    Path("a.py").write_text("x = 1\n")
    assert real("a.py").code == 0


def test_git_takes_the_patch_and_it_is_what_would_be_written(real: Run) -> None:
    for name in PATCHED:
        fixture(name)
    subprocess.run(["git", "init", "-q"], check=True)
    ran = real("--diff", ".", "-q")
    assert ran.code == 1
    Path("all.patch").write_bytes(ran.out.encode())
    before = contents()
    subprocess.run(["git", "apply", "all.patch"], check=True)
    by_git = contents()
    assert by_git != before
    for name, data in before.items():
        Path(name).write_bytes(data)
    assert real(".", "-q").code == 1
    assert contents() == by_git


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*.py"))}


def test_findings_for_machines_name_their_flow(real: Run) -> None:
    fixture(WHOLE)
    found = json.loads(real("check", WHOLE, "--output-format", "json").out)
    assert {one["code"] for one in found} == {"FXO201", "FXO301", "FXO302", "FXO303"}
    assert len({one["flow"] for one in found}) == 1


def test_standard_input_is_migrated_to_standard_output(real: Run) -> None:
    file = fixture(WHOLE)
    ran = real("-", stdin=file.read_bytes())
    assert ran.code == 0
    assert "optax.sgd(" in ran.out
    assert real("-", stdin=ran.out.encode()).out == ran.out
