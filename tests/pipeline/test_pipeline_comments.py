"""Markers where a person is needed, and the answers of that person."""

import ast

import pytest
from migration import migrated, source, text_of, told

from flax2optax.codemod.diagnostic import Severity
from flax2optax.codemod.outcome import Options
from flax2optax.codemod.pipeline import migrate

HEAD = "from flax import optim\n\n\n"
TAIL = "\n\noptimizer = step(optim.Adam(1e-3).create({}), {}, {})\n"
CALL = "  return optimizer.apply_gradient(grads, **overrides)"
STUCK = f"{HEAD}def step(optimizer, grads, overrides):\n{CALL}\n{TAIL}"
SENTENCE = "The overrides are computed (`**...`)"
MARKER = f"# TODO(flax2optax): FXO502 {SENTENCE}. See: flax2optax explain FXO502"


def marked(text: str) -> str:
    return text_of(migrated(text), text)


def kinds(text: str) -> list[str]:
    """The codes that keep the exit code at 1."""
    return sorted(one.code for one in told(migrated(text)))


def test_no_marker_where_nothing_needs_a_person() -> None:
    for text in ("x = 1  # flax optim\n", STUCK.replace("**overrides", "learning_rate=0.1")):
        assert "TODO" not in marked(text)


def test_no_marker_when_none_is_wanted() -> None:
    assert migrated(STUCK, todo=False).changes == ()
    assert migrated(STUCK, ignore=frozenset({"FXO502"})).changes == ()


def test_no_marker_in_a_file_that_is_only_context() -> None:
    context = source("train.py", STUCK, writable=False)
    assert migrate([context], Options()).changes == ()


def test_one_marker_above_the_statement_however_often() -> None:
    once = marked(STUCK)
    assert once == STUCK.replace(CALL, f"  {MARKER}\n{CALL}")
    assert marked(once) == once
    assert kinds(once) == kinds(STUCK)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (CALL, "\treturn optimizer.apply_gradient(grads, **overrides)", f"\t{MARKER}\n\treturn"),
        ("\n", "\r\n", f"  {MARKER}\r\n  return"),
        (
            CALL,
            "  return (grads,\n          optimizer.apply_gradient(grads, **overrides))[1]",
            f"  {MARKER}\n  return (grads,\n",
        ),
        (CALL, f"  x = 1; {CALL.strip()}", f"  {MARKER}\n  x = 1; return"),
        (CALL, f"  if grads: {CALL.strip()}\n  return optimizer", f"  {MARKER}\n  if grads: "),
        (CALL, f"  # why\n{CALL}", f"  # why\n  {MARKER}\n  return"),
    ],
    ids=["tab", "crlf", "in the middle", "semicolon", "one line", "below a comment"],
)
def test_a_marker_has_the_shape_of_its_place(old: str, new: str, expected: str) -> None:
    text = STUCK.replace(old, new)
    once = marked(text)
    assert expected in once
    assert once.count("TODO") == 1
    assert ast.dump(ast.parse(once)) == ast.dump(ast.parse(text))
    assert marked(once) == once


def test_no_marker_inside_a_string() -> None:
    text = STUCK.replace(CALL, f'  x = """\n  """; {CALL.strip()}')
    assert migrated(text).changes == ()


def test_statements_in_a_row_share_a_marker() -> None:
    text = STUCK.replace(CALL, f"  optimizer = optimizer\n{CALL.replace('return', 'a =')}\n{CALL}")
    assert marked(text).count("FXO502 ") == 1


@pytest.mark.parametrize(
    "answered",
    [
        f"{CALL}  # flax2optax: ignore[FXO502] they are read from a file",
        f"{CALL}  # noqa: FXO502",
        f"{CALL}  # noqa: E501,FXO502",
        f"  # flax2optax: ignore[FXO502] they are read from a file\n{CALL}",
        f"  # flax2optax: ignore[FXO301, FXO502]\n  # why\n{CALL}",
        "  return optimizer.apply_gradient(\n      grads, **overrides)  # noqa: FXO502",
        f"  {MARKER}\n{CALL}  # noqa: FXO502",
    ],
)
def test_an_answer_settles_the_flow(answered: str) -> None:
    text = STUCK.replace(CALL, answered)
    found = migrated(text)
    assert found.changes == ()
    assert told(found) == []
    assert "FXO502" not in {one.code for one in found.diagnostics}
    assert {one.severity for one in found.diagnostics} == {Severity.NOTE}


@pytest.mark.parametrize(
    "unanswered",
    [
        f"{CALL}  # noqa",
        f"{CALL}  # noqa: E501",
        f"{CALL}  # flax2optax: ignore",
        f"  # noqa: FXO502\n{CALL}",
    ],
)
def test_what_is_not_an_answer_settles_nothing(unanswered: str) -> None:
    assert kinds(STUCK.replace(CALL, unanswered)) == kinds(STUCK)


def test_an_answer_elsewhere_settles_nothing_and_is_reported() -> None:
    text = STUCK.replace("def step", "# flax2optax: ignore[FXO502] wrong place\ndef step")
    assert kinds(text) == sorted([*kinds(STUCK), "FXO803"])


def test_an_edit_that_is_answered_keeps_its_flow_as_it_is() -> None:
    text = STUCK.replace("**overrides)", "learning_rate=0.1)  # noqa: FXO301")
    found = migrated(text)
    assert (found.changes, told(found)) == ((), [])


@pytest.mark.parametrize("answer", ["# flax2optax: ignore[FXO502] gone", "# noqa: E501, FXO502"])
def test_an_answer_to_nothing_is_reported(answer: str) -> None:
    text = f"import optax  {answer}\n"
    (one,) = told(migrated(text))
    assert (one.code, one.location.line, one.location.column) == ("FXO803", 1, 15)
    assert text[14 : one.location.end_column - 1] in answer


def test_a_marker_that_outlived_its_reason_is_reported() -> None:
    (one,) = told(migrated(f"{MARKER}\nimport optax\n"))
    assert (one.code, one.location.line) == ("FXO804", 1)


def test_words_in_a_string_are_no_comment() -> None:
    text = f'words = """\n{MARKER}\n# flax2optax: ignore[FXO502]\n"""  # flax optim\n'
    assert migrated(text).diagnostics == ()


def test_a_marker_can_be_written_in_every_encoding() -> None:
    strange = STUCK.replace("overrides", "überschreibungen")
    once = marked(strange)
    line = next(line for line in once.split("\n") if "TODO" in line)
    assert line.isascii()
