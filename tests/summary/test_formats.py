"""The formats, each against the same few findings."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flax2optax.codemod import summary
from flax2optax.codemod.collect.notebook import decode_notebook
from flax2optax.codemod.diagnostic import Applicability, Diagnostic, Location, Severity
from flax2optax.codemod.outcome import FileChange, FlowSummary, Outcome
from flax2optax.codemod.source import SourceFile
from flax2optax.codemod.summary import FORMATS, Report, closing_line, make_report, per_code, render

TEXT = "import flax\n\ndef f(opt, g):\n  opt = opt.apply_gradient(g)\n\treturn '日本', opt\n"
NEW = TEXT.replace("opt.apply_gradient(g)", "step(opt, g)")
SOURCE = SourceFile(Path("/p/train.py"), "train.py", TEXT.encode(), TEXT, str.encode, Path("/p"))

FIXABLE = Diagnostic(
    "FXO301",
    "`Optimizer.apply_gradient` was removed",
    Location("train.py", 4, 9, 4, 30),
    help="carry `params`",
    fix=Applicability.SAFE,
    flow="1",
)
MANUAL = Diagnostic("FXO311", "may be a|b <i> 100%\nor not", Location("train.py", 5, 9, 5, 13))
NOTE = Diagnostic("FXO802", "a pin", Location("a:b,c.py", 1, 1, 1, 1), severity=Severity.NOTE)
UNSAFE = replace(FIXABLE, code="FXO601", fix=Applicability.UNSAFE, flow="2")

FULL = """\
FXO301 [*] `Optimizer.apply_gradient` was removed
 --> train.py:4:9
  |
4 |   opt = opt.apply_gradient(g)
  |         ^^^^^^^^^^^^^^^^^^^^^
help: carry `params`

"""


def test_nothing_found_is_said_and_every_format_is_well_formed() -> None:
    nothing = report()
    assert closing_line(nothing) == "No use of flax.optim found.\n"
    assert render(nothing, "full") == render(nothing, "concise") == render(nothing, "github") == ""
    assert json.loads(render(nothing, "json")) == json.loads(render(nothing, "gitlab")) == []
    assert json.loads(render(nothing, "sarif"))["runs"][0]["results"] == []
    assert json.loads(render(nothing, "rdjson"))["diagnostics"] == []


def test_the_list_of_formats_is_the_folder() -> None:
    folder = Path(summary.__file__).parent / "formats"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_done_is_shown_by_json_alone(name: str) -> None:
    text = render(report(FIXABLE, wrote=True), name)
    assert ("FXO301" in text) == (name == "json")


def test_full() -> None:
    assert render(report(FIXABLE), "full") == FULL


def test_full_in_colour_differs_by_colour_alone() -> None:
    text = render(replace(report(FIXABLE, MANUAL), color=True), "full")
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == render(report(FIXABLE, MANUAL), "full")
    assert "\x1b[1;31mFXO301" in text


def test_full_aligns_carets_under_tabs_and_wide_characters() -> None:
    place = Location("train.py", 5, 15, 5, 18)
    lines = render(report(replace(MANUAL, location=place)), "full").split("\n")
    assert lines[3].index("opt") == lines[4].index("^") - 2
    assert lines[4].count("^") == 3


def test_full_shows_control_characters_and_obeys_none() -> None:
    text = "x = '\x1b[31m\u202e'\n"
    source = replace(SOURCE, text=text)
    made = make_report(
        outcome(replace(MANUAL, location=Location("train.py", 1, 1, 1, 2))), [source], wrote=False
    )
    shown = render(made, "full")
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "␛[31m" in shown


def test_full_without_the_source() -> None:
    assert render(report(NOTE), "full") == "FXO802 [note] a pin\n --> a:b,c.py:1:1\n\n"


def test_full_of_many_lines_marks_each() -> None:
    place = Location("train.py", 3, 1, 4, 6)
    shown = render(report(replace(FIXABLE, location=place)), "full")
    assert "3 | def f(opt, g):\n  | ^^^^^^^^^^^^^^\n4 |   opt = opt" in shown
    assert "\n  |   ^^^\n" in shown


def test_concise() -> None:
    assert render(report(MANUAL, FIXABLE, NOTE), "concise") == (
        "a:b,c.py:1:1: FXO802 [note] a pin\n"
        "train.py:4:9: FXO301 [*] `Optimizer.apply_gradient` was removed\n"
        "train.py:5:9: FXO311 may be a|b <i> 100%␊or not\n"
    )


def test_json_has_the_field_names_of_ruff() -> None:
    (record,) = json.loads(render(report(FIXABLE), "json"))
    assert record == {
        "cell": None,
        "code": "FXO301",
        "end_location": {"column": 30, "row": 4},
        "filename": "/p/train.py",
        "fix": {
            "applicability": "safe",
            "edits": [
                {
                    "content": "  opt = step(opt, g)\n",
                    "location": {"column": 1, "row": 4},
                    "end_location": {"column": 1, "row": 5},
                }
            ],
            "message": "carry `params`",
        },
        "flow": "1",
        "help": "carry `params`",
        "location": {"column": 9, "row": 4},
        "message": "`Optimizer.apply_gradient` was removed",
        "noqa_row": 4,
        "schema_version": 1,
        "severity": "error",
        "state": "fixable",
        "url": None,
    }


def test_github_escapes() -> None:
    assert render(report(MANUAL, NOTE), "github") == (
        "::notice title=flax2optax (FXO802),file=a%3Ab%2Cc.py,line=1,endLine=1,col=1,endColumn=1"
        "::FXO802 a pin\n"
        "::error title=flax2optax (FXO311),file=train.py,line=5,endLine=5,col=9,endColumn=13"
        "::FXO311 may be a|b <i> 100%25%0Aor not\n"
    )


@pytest.mark.parametrize("name", ["gitlab", "sarif"])
def test_fingerprints_do_not_depend_on_line_numbers_and_are_unique(name: str) -> None:
    twice = (MANUAL, replace(MANUAL, location=Location("train.py", 5, 15, 5, 18)))
    moved = replace(SOURCE, text="# new\n" + TEXT)
    below = [replace(one, location=replace(one.location, line=6, end_line=6)) for one in twice]
    before = marks(render(report(*twice), name))
    after = marks(render(make_report(outcome(*below), [moved], wrote=False), name))
    assert before == after
    assert len(set(before)) == 2


def test_sarif_has_rules_and_fixes() -> None:
    (run,) = json.loads(render(report(FIXABLE, MANUAL), "sarif"))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["FXO301", "FXO311"]
    fixable, manual = run["results"]
    (replacement,) = fixable["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replacement["insertedContent"]["text"] == "  opt = step(opt, g)\n"
    assert replacement["deletedRegion"]["startLine"] == 4
    assert "fixes" not in manual


def test_rdjson_suggests() -> None:
    fixable, manual = json.loads(render(report(FIXABLE, MANUAL), "rdjson"))["diagnostics"]
    assert [one["text"] for one in fixable["suggestions"]] == ["  opt = step(opt, g)\n"]
    assert manual["severity"] == "ERROR" and "suggestions" not in manual


def test_markdown_escapes() -> None:
    row = render(report(MANUAL), "markdown").split("\n")[4]
    assert row == "| train.py:5:9 | FXO311 | may be a\\|b \\<i> 100% or not |"


@pytest.mark.parametrize(
    ("findings", "wrote", "line"),
    [
        (
            (FIXABLE, MANUAL),
            False,
            "Found 2 findings in 1 file, 2 flows. [*] 1 fixable, 1 needs you.",
        ),
        ((FIXABLE, FIXABLE), True, "Found 2 findings in 1 file, 2 flows. 2 fixed, 0 need you."),
        (
            (UNSAFE, NOTE),
            False,
            "Found 1 finding in 1 file, 2 flows. [*] 0 fixable, 1 more with --unsafe-fixes, 0 need you, 1 note.",
        ),
    ],
    ids=["check", "written", "unsafe"],
)
def test_the_closing_line(findings: tuple[Diagnostic, ...], wrote: bool, line: str) -> None:
    assert closing_line(report(*findings, wrote=wrote)) == line + "\n"


def test_statistics_count_by_code() -> None:
    lines = per_code(report(FIXABLE, FIXABLE, MANUAL)).splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["2", "FXO301"], ["1", "FXO311"]]
    assert ["[*]" in line for line in lines] == [True, False]


@pytest.mark.parametrize(
    ("diagnostic", "remaining"),
    [
        (FIXABLE, 0),
        (replace(FIXABLE, flow="2"), 1),
        (replace(FIXABLE, flow=None), 0),
        (replace(FIXABLE, flow=None, location=Location("b.py", 1, 1, 1, 1)), 1),
        (replace(FIXABLE, fix=Applicability.DISPLAY), 1),
        (UNSAFE, 1),
        (MANUAL, 1),
        (NOTE, 0),
    ],
    ids=[
        "applied",
        "flow refused",
        "no flow, changed",
        "no flow, unchanged",
        "display",
        "unsafe",
        "manual",
        "note",
    ],
)
def test_what_remains_after_writing(diagnostic: Diagnostic, remaining: int) -> None:
    assert report(diagnostic, wrote=True).remaining == remaining


def test_a_place_in_a_notebook_is_a_place_in_a_cell() -> None:
    cells = [
        {"cell_type": "code", "source": text} for text in ("import flax\n!ls\n", "%time opt = x\n")
    ]
    found = decode_notebook(json.dumps({"cells": cells}).encode())
    assert found is not None
    text, encode = found
    source = SourceFile(Path("/p/a.ipynb"), "a.ipynb", b"", text, encode, Path("/p"))
    one = replace(MANUAL, location=Location("a.ipynb", 4, 1, 4, 4))
    made = make_report(outcome(one), [source], wrote=False)
    assert "a.ipynb:cell 2:1:1" in render(made, "full")
    assert "1 | %time opt = x\n" in render(made, "full")
    assert json.loads(render(made, "json"))[0]["cell"] == 2


def outcome(*diagnostics: Diagnostic) -> Outcome:
    flows = (
        FlowSummary("1", ("train.py",), 1, applied=True, form="explicit"),
        FlowSummary("2", ("train.py",), 1, applied=False, form="explicit"),
    )
    return Outcome((FileChange(SOURCE, NEW),) if diagnostics else (), diagnostics, flows)


def report(*diagnostics: Diagnostic, wrote: bool = False) -> Report:
    return make_report(outcome(*diagnostics), [SOURCE], wrote=wrote)


def marks(text: str) -> list[Any]:
    found = json.loads(text)
    if isinstance(found, list):
        return [one["fingerprint"] for one in found]
    return [one["partialFingerprints"]["flax2optax/v1"] for one in found["runs"][0]["results"]]
