"""`-`: one file from standard input to standard output."""

import json
from pathlib import Path

import pytest
from cli_driver import Run

from flax2optax.codemod.collect import Selection, collect_stdin

OURS = b"import flax\r\nopt = flax.optim.Adam()"
DONE = "import flax\r\nopt = optax.Adam()"

COMES_OUT_AS_IT_WENT_IN = {
    "irrelevant": (b"x = 1\r\n", 0),
    "empty": (b"", 0),
    "undecodable": (b"import flax.optim\n# coding: ascii\n", 1),
    "needs you": (b"flax.optim  # manual\n", 1),
}


@pytest.mark.parametrize(
    ("data", "code"), COMES_OUT_AS_IT_WENT_IN.values(), ids=COMES_OUT_AS_IT_WENT_IN
)
def test_what_is_not_changed_comes_out_as_it_went_in(data: bytes, code: int, run: Run) -> None:
    if b"coding" in data:
        data = b"# coding: nonsense\n" + data
    ran = run("-", stdin=data)
    assert (ran.out, ran.code) == (data.decode(), code)


def test_new_text_goes_to_standard_output_and_the_report_beside(run: Run) -> None:
    ran = run("-", stdin=OURS)
    assert (ran.out, ran.code) == (DONE, 0)
    assert "1 fixed" in ran.err


def test_check_reports_under_the_given_name(run: Run) -> None:
    ran = run(
        "check", "-", "--stdin-filename", "src/a.py", "--output-format", "concise", stdin=OURS
    )
    assert ran.out.startswith("src/a.py:2:1: FXO301")
    assert ran.code == 1


def test_diff(run: Run) -> None:
    ran = run("--diff", "-", "--stdin-filename", "a.py", stdin=OURS)
    assert ran.out.startswith("diff --git a/a.py b/a.py\n")


def test_a_notebook_by_its_name(run: Run) -> None:
    raw = json.dumps(
        {"cells": [{"cell_type": "code", "source": "x = flax.optim.Adam()"}]}, indent=3
    )
    ran = run("-", "--stdin-filename", "a.ipynb", stdin=raw.encode())
    assert ran.out == raw.replace("flax.optim.", "optax.")


def test_the_project_of_a_named_file_is_context_and_a_nameless_one_has_none(
    tmp_path: Path, run: Run
) -> None:
    (tmp_path / "work" / "pyproject.toml").touch()
    (tmp_path / "work" / "beside.py").touch()
    selection = Selection(tmp_path)
    (project,) = collect_stdin(OURS, "a.py", selection)[0].projects.values()
    assert [path.name for path in project.paths] == ["beside.py"]
    assert collect_stdin(OURS, None, selection)[0].projects == {}
