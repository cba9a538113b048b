"""`flax2optax graph`: what it takes, what it answers, that it writes nothing."""

import json
import sys
from pathlib import Path

import pytest
from cli_driver import Run

import flax2optax.codemod.pipeline as real_pipeline

PROGRAM = """from flax import optim

def make(params):
    return optim.Adam(learning_rate=0.1).create(params)
"""
BEGINNINGS = {
    "text": "1 flow in 1 module: 1 migrates.\n",
    "dot": "digraph flax2optax {\n",
    "mermaid": "flowchart LR\n",
    "json": '{\n  "schema_version": 1,\n',
}
NOTHING = {
    "text": "No use of flax.optim found.\n",
    "mermaid": "flowchart LR\n",
}
CANNOT = {
    "a path that is not there": ["missing.py"],
    "no path": [],
    "a format that is not known": ["--output-format", "svg", "ours.py"],
    "a format of reports": ["--output-format", "sarif", "ours.py"],
    "a code that is not known": ["--ignore", "XYZ", "ours.py"],
    "an output that cannot be written": ["-o", "nowhere/graph.dot", "ours.py"],
    "standard input among paths": ["-", "ours.py"],
    "a flag that writes": ["--diff", "ours.py"],
}


@pytest.fixture
def real(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setitem(sys.modules, "flax2optax.codemod.pipeline", real_pipeline)
    Path("ours.py").write_text(PROGRAM)
    return run


@pytest.mark.parametrize("name", CANNOT)
def test_what_it_cannot_do_is_two(name: str, real: Run) -> None:
    ran = real("graph", *CANNOT[name])
    assert (ran.code, ran.out) == (2, "")
    assert ran.err


@pytest.mark.parametrize("name", BEGINNINGS)
def test_it_prints_and_writes_nothing(name: str, real: Run) -> None:
    ran = real("graph", "--output-format", name, "ours.py")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(BEGINNINGS[name])
    assert [path.name for path in Path().iterdir()] == ["ours.py"]
    assert Path("ours.py").read_text() == PROGRAM


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_found_is_no_failure(name: str, real: Run) -> None:
    Path("ours.py").write_text("import optax\n")
    ran = real("graph", "--output-format", name, ".")
    assert (ran.code, ran.out, ran.err) == (0, NOTHING[name], "")


def test_a_flow_that_stays_is_printed_all_the_same(real: Run) -> None:
    Path("ours.py").write_text(f"{PROGRAM}\nimport unheard\nunheard.of(make(0))\n")
    ran = real("graph", "ours.py")
    assert (ran.code, "stays as it is" in ran.out) == (0, True)


def test_what_is_excluded_is_not_drawn(real: Run) -> None:
    Path("build").mkdir()
    for name in ("build/b.py", "other.py"):
        Path(name).write_text(PROGRAM)
    ran = real("graph", "--output-format", "json", "--extend-exclude", "other.py", ".")
    assert files(ran.out) == ["ours.py"]


def test_the_configuration_decides_too(real: Run) -> None:
    Path("pyproject.toml").write_text(
        '[tool.flax2optax]\nextend-exclude = ["ours.py"]\noutput-format = "sarif"\n'
    )
    assert real("graph", ".").out == NOTHING["text"]
    assert files(real("graph", "--isolated", "--output-format", "json", ".").out) == ["ours.py"]


def test_standard_input(real: Run) -> None:
    ran = real("graph", "--stdin-filename", "in.py", "-", stdin=PROGRAM.encode())
    assert ran.code == 0
    assert "\n  in.py\n" in ran.out


def test_a_file_gets_what_would_be_printed(real: Run) -> None:
    printed = real("graph", "--output-format", "dot", "ours.py").out
    ran = real("graph", "--output-format", "dot", "-o", "flows.dot", "ours.py")
    assert (ran.code, ran.out, Path("flows.dot").read_text()) == (0, "", printed)


def test_a_file_that_cannot_be_read_is_told_and_the_rest_is_drawn(real: Run) -> None:
    Path("torn.py").write_bytes(b"import flax.optim\n\xff\n")
    ran = real("graph", ".")
    assert ran.code == 1
    assert "warning: torn.py:" in ran.err
    assert "ours.py" in ran.out


def test_a_file_that_does_not_parse_is_told_and_the_rest_is_drawn(real: Run) -> None:
    Path("torn.py").write_text("import flax.optim\ndef (\n")
    ran = real("graph", ".")
    assert ran.code == 1
    assert "warning: torn.py:2: FXO003" in ran.err
    assert "ours.py" in ran.out


def files(told: str) -> list[str]:
    return [name for flow in json.loads(told)["flows"] for name in flow["files"]]


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_function_in_the_first_line_of_a_cell(name: str, real: Run) -> None:
    lines = [[f"{line}\n" for line in part.splitlines()] for part in PROGRAM.split("\n\n")]
    lines.append(["print(make({}).target)\n"])
    cells = [{"cell_type": "code", "source": one, "outputs": []} for one in lines]
    Path("ours.ipynb").write_text(json.dumps({"cells": cells}))
    ran = real("graph", "--output-format", name, "ours.ipynb")
    assert (ran.code, ran.err) == (0, "")
    assert "make" in ran.out
