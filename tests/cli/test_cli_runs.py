"""What a run does, prints and returns."""

import json
import subprocess
from pathlib import Path

import pytest
from cli_driver import Run

OURS = "import flax\nopt = flax.optim.Adam()\n"
DONE = "import flax\nopt = optax.Adam()\n"
MANUAL = OURS + "flax.optim.x  # manual\n"
NOTHING = "No use of flax.optim found.\n"


@pytest.mark.parametrize(
    ("text", "flags", "code"),
    [
        ("x = 1\n", [], 0),
        ("x = 1\n", ["--check"], 0),
        ("x = 1\n", ["--diff"], 0),
        (OURS, [], 0),
        (OURS, ["--exit-non-zero-on-fix"], 1),
        (OURS, ["--check"], 1),
        (OURS, ["--diff"], 1),
        (OURS, ["--check", "--exit-zero"], 0),
        (MANUAL, [], 1),
        (MANUAL, ["--exit-zero"], 0),
        (MANUAL, ["--select", "FXO301"], 0),
        (OURS + "# note flax.optim\n", [], 0),
        (OURS.replace("()", "()  # unsafe"), [], 1),
        (OURS.replace("()", "()  # unsafe"), ["--unsafe-fixes"], 0),
        ("# coding: nonsense\nimport flax.optim\n", [], 1),
        ("# coding: nonsense\nimport flax.optim\n", ["--select", "FXO3"], 1),
        (OURS + "# crash\n", [], 2),
    ],
)
def test_the_exit_code_of_migrate(text: str, flags: list[str], code: int, run: Run) -> None:
    Path("a.py").write_text(text)
    assert run("a.py", *flags).code == code


@pytest.mark.parametrize(
    ("text", "code"), [("x = 1\n", 0), (OURS, 1), (MANUAL, 1), ("# note flax.optim\n", 0)]
)
def test_check_never_writes(text: str, code: int, run: Run) -> None:
    Path("a.py").write_text(text)
    assert run("check", "a.py").code == code
    assert Path("a.py").read_text() == text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["missing.py"],
        ["--no-such-flag", "a.py"],
        ["--form", "new", "a.py"],
        ["--select", "XYZ", "a.py"],
        ["--select", "FXO9999", "a.py"],
        ["--diff", "--check", "a.py"],
        ["-", "a.py"],
        ["undo"],
        ["undo", "no-such-run"],
        ["explain", "FXO999"],
        ["explain"],
        ["check"],
        ["-o", "no/such/folder/report", "a.py"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_2_and_writes_nothing(arguments: list[str], run: Run) -> None:
    Path("a.py").write_text("x = 1 # flax optim\n")
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.err
    assert Path("a.py").read_text() == "x = 1 # flax optim\n"


def test_migrate_writes_and_tells_how_to_undo(run: Run) -> None:
    Path("a.py").write_text(OURS)
    ran = run("a.py")
    assert Path("a.py").read_text() == DONE
    assert ran.out == "Found 1 finding in 1 file, 1 flow. 1 fixed, 0 need you.\n"
    name = ran.err.strip().rpartition(" ")[2]
    assert run("undo", "--list").out.startswith(name)
    assert run("undo", name).code == 0
    assert Path("a.py").read_text() == OURS


def test_what_is_left_is_shown_and_what_is_done_is_not(run: Run) -> None:
    Path("a.py").write_text(MANUAL)
    out = run("a.py").out
    assert "FXO402" in out and "FXO301" not in out
    assert out.endswith("Found 2 findings in 1 file, 1 flow. 1 fixed, 1 needs you.\n")


def test_one_bad_file_stops_nothing(run: Run) -> None:
    Path("bad.py").write_bytes(b"import flax.optim\n'\xe9'\n")
    Path("good.py").write_text(OURS)
    ran = run(".")
    assert ran.code == 1
    assert "FXO002" in ran.out
    assert Path("good.py").read_text() == DONE


def test_a_flow_that_cannot_be_written_is_left_and_told(run: Run) -> None:
    Path("a.py").write_text("# coding: ascii\n# shared\n" + OURS)
    Path("b.py").write_text("# shared\n" + OURS)
    Path("c.py").write_text(OURS)
    commit()
    Path("b.py").write_text("# shared edited\n" + OURS)
    ran = run(".")
    assert ran.code == 2
    assert "FXO006" in ran.out
    assert ran.out.count("FXO301") == 2
    assert OURS in Path("a.py").read_text()
    assert Path("c.py").read_text() == DONE
    assert run(".", "--allow-dirty").code == 0


def test_diff_is_a_patch_and_nothing_else_on_standard_output(run: Run) -> None:
    Path("a.py").write_bytes(MANUAL.replace("\n", "\r\n").removesuffix("\r\n").encode())
    ran = run("--diff", ".")
    assert ran.out.startswith("diff --git a/a.py b/a.py\n")
    assert "FXO402" in ran.err and "Found 2 findings" in ran.err and "FXO301" not in ran.err
    subprocess.run(["git", "apply", "-"], input=ran.out.encode(), check=True)
    assert Path("a.py").read_bytes().startswith(DONE.replace("\n", "\r\n").encode())


def test_check_names_the_files_that_would_change(run: Run) -> None:
    Path("a.py").write_text(OURS)
    Path("b.py").write_text("flax.optim  # manual\n")
    ran = run("--check", ".")
    assert ran.out == "a.py\n"
    assert Path("a.py").read_text() == OURS


def test_a_path_named_like_a_command_follows_two_dashes(run: Run) -> None:
    Path("check").mkdir()
    Path("check/a.py").write_text(OURS)
    assert run("check", "check").code == 1
    assert run("--", "check").code == 0
    assert Path("check/a.py").read_text() == DONE


@pytest.mark.parametrize("name", ["concise", "full", "github", "markdown"])
def test_formats_that_are_read_by_people(name: str, run: Run) -> None:
    Path("a.py").write_text(OURS)
    assert "FXO301" in run("check", "--output-format", name, "a.py").out


@pytest.mark.parametrize("name", ["json", "gitlab", "sarif", "rdjson"])
def test_formats_that_are_read_by_machines(name: str, run: Run) -> None:
    Path("a.py").write_text(OURS)
    assert json.loads(run("check", "--output-format", name, "a.py").out)


def test_the_report_goes_to_a_file_on_request(run: Run) -> None:
    Path("a.py").write_text(OURS)
    ran = run("check", "--output-format", "json", "-o", "report.json", "a.py")
    assert (ran.code, ran.out) == (1, "")
    assert json.loads(Path("report.json").read_text())[0]["code"] == "FXO301"


def test_statistics_replace_the_findings(run: Run) -> None:
    Path("a.py").write_text(MANUAL)
    first, second, last = run("check", "--statistics", "a.py").out.splitlines()
    assert first.startswith("1\tFXO301\t[*] ") and second.startswith("1\tFXO402\t[ ] ")
    assert last.startswith("Found 2 findings")


def test_quiet_prints_findings_alone_and_verbose_what_is_read(run: Run) -> None:
    Path("a.py").write_text(OURS)
    quiet = run("check", "-q", "--output-format", "concise", "a.py")
    assert quiet.out == "a.py:2:1: FXO301 [*] was removed\n"
    assert "read a.py" in run("check", "-v", "a.py").err
    Path("a.py").write_text("x = 1\n")
    assert run("-q", "a.py").out == ""


def test_colour_is_for_terminals(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.py").write_text(OURS)
    assert "\x1b" not in run("check", "a.py").out
    assert "\x1b[" in run("check", "--color", "always", "a.py").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("check", "a.py").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("check", "a.py").out


def test_a_named_file_that_is_not_python_is_told(run: Run) -> None:
    Path("README.md").write_text("flax.optim.Adam")
    ran = run("README.md")
    assert (ran.code, ran.err) == (0, "warning: README.md is not a Python file\n")


def test_a_notebook_keeps_everything_but_the_line(run: Run) -> None:
    raw = '{"cells": [{"cell_type": "code",\t"source": ["!ls\\n", "x = flax.optim.Adam()"], "outputs":[1.0e3]}]}'
    Path("a.ipynb").write_text(raw)
    assert run("a.ipynb").code == 0
    assert Path("a.ipynb").read_text() == raw.replace("flax.optim.", "optax.")


def commit() -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "old"]):
        subprocess.run([*git, *command], check=True)
