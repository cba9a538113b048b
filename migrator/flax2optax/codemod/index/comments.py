"""Comments that speak to this program: answers to findings, and the markers it leaves where a person is needed.

An answer is `# flax2optax: ignore[FXO402] reason` or `# noqa: FXO402`, behind a statement; the first also above it.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flax2optax.codemod.index.statements import Extent, Statements

MARK = "TODO(flax2optax)"
_MARKER = re.compile(r"#\s*TODO\(flax2optax\):\s*(FXO\d{3})\b")
_IGNORE = re.compile(r"#\s*flax2optax:\s*ignore\[([^\]]*)\]")
_NOQA = re.compile(r"#\s*noqa:((?:[\s,]*[A-Z]+[0-9]+\b)+)", re.IGNORECASE)
_CODE = re.compile(r"\bFXO\d+\b")


@dataclass(frozen=True, slots=True)
class Remark:
    """One code in one comment, where it stands, and the statement it speaks about."""

    code: str
    line: int
    column: int
    end_column: int
    about: Extent
    marker: bool = False


@dataclass(frozen=True, slots=True)
class Remarks:
    """All that the comments of one file say to us."""

    statements: Statements
    remarks: tuple[Remark, ...]

    def answered(self, code: str, line: Callable[[], int]) -> bool:
        """Return whether a finding is answered; its line costs something, and most files say nothing."""
        return any(one.code == code for one in self.remarks) and bool(self.answers(code, line()))

    def answers(self, code: str, line: int) -> list[Remark]:
        """Return the answers to a finding at a line."""
        return [one for one in self._about(code, line) if not one.marker]

    def markers(self, code: str, line: int) -> list[Remark]:
        """Return the markers that a finding at a line has already."""
        return [one for one in self._about(code, line) if one.marker]

    def _about(self, code: str, line: int) -> Iterator[Remark]:
        if self.remarks:
            about = self.statements.around(line)
            yield from (one for one in self.remarks if one.code == code and one.about == about)


def remarks_of(text: str) -> Remarks:
    """Return what the comments of a file say; a file that does not name us says nothing."""
    statements = Statements(text)
    if "flax2optax" not in text and "FXO" not in text:
        return Remarks(statements, ())
    return Remarks(statements, tuple(_remarks(text, statements)))


def _remarks(text: str, statements: Statements) -> Iterator[Remark]:
    lines = text.split("\n")
    for token in _comments(text):
        line, column = token.start
        alone = not lines[line - 1][:column].strip()
        about = statements.around(_below(lines, line) if alone else line)
        for code, start, end, marker in _codes(token.string, alone=alone):
            yield Remark(code, line, column + start + 1, column + end + 1, about, marker)


def _comments(text: str) -> Iterator[tokenize.TokenInfo]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token
    except (tokenize.TokenError, SyntaxError):
        return


def _below(lines: list[str], line: int) -> int:
    """Return the line that a comment on a line of its own speaks about."""
    while line < len(lines) and lines[line].lstrip().startswith("#"):
        line += 1
    return line + 1


def _codes(comment: str, *, alone: bool) -> Iterator[tuple[str, int, int, bool]]:
    if found := _MARKER.search(comment):
        yield found[1], found.start(), len(comment.rstrip()), True
        return
    for pattern in (_IGNORE,) if alone else (_IGNORE, _NOQA):
        for answer in pattern.finditer(comment):
            for code in _CODE.findall(answer[1]):
                yield code, answer.start(), answer.end(), False
