"""The report: as text, as Markdown, as JSON, and as a page that needs nothing else."""

import json
import math
import re
from html.parser import HTMLParser

import pytest

from flax2optax.verify.evidence import Evidence
from flax2optax.verify.page import to_page
from flax2optax.verify.report import Answer, Report, Speed, to_json
from flax2optax.verify.terminal import to_markdown, to_text
from flax2optax.verify.verdict import Verdict

WORST = Verdict(False, math.inf, "params/<w>", 2, "differs by 1, rounding makes 0")
EVIDENCE = Evidence(
    "free run in float64",
    WORST,
    {"params/<w>": [0.0, math.inf, 3e9], "params/b": [0.0, 0.5, 2.0]},
    [0.0, 1e-3, 1e-2],
    [1e-16, 1e-16, 0.0],
    steps=3,
)
REPORT = Report(
    "differs",
    "The programs differ first at step 2, in params/<w>.",
    "flax2optax verify train.py -- python train.py --name '<script>alert(1)</script>'",
    "params/<w>",
    2,
    math.inf,
    "The weight decay of 0.1 is missing.",
    (EVIDENCE,),
    (0, 1, 999),
    {"before": Speed(2.0, 0.004, 300 << 20, 3), "after": Speed(3.0, 0.005, 330 << 20, 3)},
    {"before": [1.0, 0.5, math.nan], "after": [1.0, 0.6, 0.4]},
    [0.1, 0.1, 0.01],
    {"jax": "0.10.2"},
    ["cpu", "cpu"],
    "cpu",
    (0, 1, 2, 3),
    42.0,
    ("A note.",),
)
VOID = {"meta", "line", "circle", "polyline"}


class Balanced(HTMLParser):
    """Fails on a tag that closes another one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_and_runs_nothing() -> None:
    page = to_page(REPORT)
    assert "<script" not in page
    assert not re.search(r"(src|href|url)\s*[=(]", page)
    assert "http" not in page


def test_the_page_says_the_verdict_first_and_has_everything() -> None:
    page = to_page(REPORT)
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    heads = re.findall(r"<h[12]>(.*?)</h[12]>", page)
    assert heads == [
        "differs",
        "Comparisons",
        "Deviation per step, free run in float64",
        "Ratio per leaf and step",
        "Loss",
        "Time and memory",
        "Repeat it",
        "Notes",
    ]
    for text in (
        "params/&lt;w&gt;",
        "decay of 0.1 is missing",
        "∞",
        "jax 0.10.2",
        "999",
        "2 × cpu",
    ):
        assert text in page
    assert "nan" not in page.lower().replace("and", "")


@pytest.mark.parametrize("answer", ["equal", "equal to rounding", "not run"])
def test_a_report_without_evidence_is_a_page_too(answer: Answer) -> None:
    page = to_page(Report(answer, "Why.", "flax2optax verify"))
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert f"<h1>{answer}</h1>" in page


def test_json_is_json_and_has_a_version() -> None:
    found = json.loads(to_json(REPORT), parse_constant=lambda name: pytest.fail(name))
    assert (found["schema_version"], found["exit_code"], found["answer"]) == (1, 1, "differs")
    assert found["evidence"][0]["table"]["params/b"] == [0.0, 0.5, 2.0]
    assert found["ratio"] is None


@pytest.mark.parametrize(
    ("answer", "code"), [("equal", 0), ("equal to rounding", 0), ("differs", 1), ("not run", 2)]
)
def test_the_exit_code_is_the_answer(answer: Answer, code: int) -> None:
    assert Report(answer, "", "").exit_code == code


def test_text_begins_with_the_verdict() -> None:
    lines = to_text(REPORT).splitlines()
    assert lines[0] == "✗ differs: The programs differ first at step 2, in params/<w>."
    assert lines[1] == "  likely cause: The weight decay of 0.1 is missing."
    assert re.search(r"after / before +1\.50 +1\.25 +1\.10", to_text(REPORT))


def test_markdown_fits_a_comment() -> None:
    text = to_markdown(REPORT)
    assert text.startswith("### flax2optax verify: ✗ differs\n")
    assert "| free run in float64 | differs | inf | params/<w> | 2 |" in text
    assert len(text) < 2000
