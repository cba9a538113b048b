"""What holds for every program, shown on every fixture."""

import ast
import io
import tokenize
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from migration import told

from flax2optax.codemod.collect import Selection, collect
from flax2optax.codemod.diagnostic import Severity
from flax2optax.codemod.outcome import Options, Outcome
from flax2optax.codemod.pipeline import migrate
from flax2optax.codemod.source import SourceFile

FOLDER = Path(__file__).parents[3] / "fixtures"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/before"))
every_fixture = pytest.mark.parametrize("name", NAMES)


@cache
def sources(name: str) -> tuple[SourceFile, ...]:
    collected, problems = collect([str(FOLDER / name / "before")], Selection(FOLDER))
    assert not problems
    return collected.candidates


@cache
def outcome(name: str) -> Outcome:
    return migrate(sources(name), Options())


def again(found: Outcome, files: tuple[SourceFile, ...]) -> Outcome:
    """A second run over what the first one leaves."""
    texts = {change.source.path: change.text for change in found.changes}
    left = [with_text(file, texts.get(file.path, file.text)) for file in files]
    return migrate(left, Options())


def with_text(file: SourceFile, text: str) -> SourceFile:
    return replace(file, data=text.encode(), text=text, encode=str.encode)


def comments(text: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return Counter(one.string for one in tokens if one.type == tokenize.COMMENT)


def test_there_are_fixtures() -> None:
    assert len(NAMES) > 90


@every_fixture
def test_running_twice_plans_nothing(name: str) -> None:
    first = outcome(name)
    second = again(first, sources(name))
    assert second.changes == ()
    left = [(one.code, one.message) for one in told(first)]
    assert [(one.code, one.message) for one in told(second)] == left


@every_fixture
def test_the_new_text_compiles(name: str) -> None:
    for change in outcome(name).changes:
        compile(change.text, name, "exec", dont_inherit=True)


@every_fixture
def test_no_comment_is_lost(name: str) -> None:
    for change in outcome(name).changes:
        assert comments(change.source.text) <= comments(change.text)


@every_fixture
def test_no_bug_of_ours_is_reported(name: str) -> None:
    assert not [one for one in outcome(name).diagnostics if one.code == "FXO007"]


@every_fixture
def test_what_is_not_done_is_told(name: str) -> None:
    """A use of the old API by its own name is either gone or in the line of a finding."""
    found = outcome(name)
    changed = {
        change.source.path for change in found.changes if "TODO(flax2optax)" not in change.text
    }
    for file in sources(name):
        if file.path in changed or "not_a_flax" in name or "own_optim" in name:
            continue
        lines = {
            line
            for one in found.diagnostics
            if one.location.path == file.display and one.severity is Severity.ERROR
            for line in range(one.location.line, one.location.end_line + 1)
        }
        assert uses(file.text) <= lines


def uses(text: str) -> set[int]:
    """Lines of `….apply_gradient` and of calls on `optim.`."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
    return {
        node.end_lineno or 0
        for node in nodes
        if node.attr == "apply_gradient" or ast.unparse(node.value) in ("optim", "flax.optim")
    }


@every_fixture
def test_line_ends_are_those_of_the_file(name: str) -> None:
    """With CRLF the outcome is the same with CRLF."""
    files = [with_text(one, one.text.replace("\r\n", "\n")) for one in sources(name)]
    plain = migrate(files, Options())
    windows = migrate([with_text(one, one.text.replace("\n", "\r\n")) for one in files], Options())
    assert [one.text for one in windows.changes] == [
        one.text.replace("\n", "\r\n") for one in plain.changes
    ]


@every_fixture
def test_a_missing_final_newline_stays_missing(name: str) -> None:
    files = [with_text(one, one.text.rstrip()) for one in sources(name)]
    for change in migrate(files, Options()).changes:
        assert not change.text.endswith("\n")
