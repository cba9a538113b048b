"""A statement that goes takes its lines with it, and nothing else."""

import pytest

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.program import parse_numbered
from flax2optax.codemod.index.spans import Spans
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.plan.edits import InsertBefore, ReplaceStatement
from flax2optax.codemod.rewrite.splice import splice


def without(text, *names, newline="\n", insert=False):
    """Delete the assignments to these names."""
    spans = Spans(text, "a.py", parse_numbered(text, "a.py", 0))
    edits = []
    for node, _ in walk(spans.module.body):
        if isinstance(node, t.Assign) and node.targets[0].name in names:
            edits.append(ReplaceStatement(node.id, node.line, ()))
            if insert:
                edits.append(InsertBefore(node.line, (("new = 0",),)))
    return splice(spans, edits, newline)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a = 1\nx = 2\nb = 3\n", "a = 1\nb = 3\n"),
        ("a = 1\nx = 2", "a = 1\n"),
        ("x = (2,\n     3)\nb = 3\n", "b = 3\n"),
        ("# above\nx = 2\n\nb = 3\n", "# above\n\nb = 3\n"),
        ("if a:\n  x = 2  # behind\n  b = 3\n", "if a:\n  # behind\n  b = 3\n"),
        ("if a:\n  x = 2\nb = 3\n", "if a:\n  pass\nb = 3\n"),
        ("if a:\n  x = 2  # behind\nb = 3\n", "if a:\n  # behind\n  pass\nb = 3\n"),
        ("if a:\n\tb = 1\nelse:\n\tx = 2\n\ty = 3\n", "if a:\n\tb = 1\nelse:\n\tpass\n"),
        ("try:\n  b = 1\nexcept E:\n  x = 2\nfinally:\n  y = 2\n", "try:\n  b = 1\nexcept E:\n  pass\nfinally:\n  pass\n"),
        ("def f():\n  x = 'é'\n  return b\n", "def f():\n  return b\n"),
    ],
)  # fmt: skip
def test_lines_go(before, after):
    assert without(before, "x", "y") == after


def test_windows_line_ends():
    assert (
        without("a = 1\r\nx = 2  # why\r\nb = 3\r\n", "x", newline="\r\n")
        == "a = 1\r\n# why\r\nb = 3\r\n"
    )


def test_lines_put_above_stay():
    assert without("a = 1\nx = 2\nb = 3\n", "x", insert=True) == "a = 1\nnew = 0\nb = 3\n"
