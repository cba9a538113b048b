"""Soft breaks: where new text may be broken, and where it is, if its line would be too long.

While text is put together, a piece that may be broken stands between `OPEN` and `CLOSE`, with `SOFT` at each place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SOFT, OPEN, CLOSE = "\v", "\x0e", "\x0f"
SHORT, LONG = 80, 100
_MARKS = re.compile(f"[{SOFT}{OPEN}{CLOSE}]")


def breakable(text: str) -> str:
    """Mark a piece of new text that has soft breaks."""
    return f"{OPEN}{text}{CLOSE}" if SOFT in text else text


def limit_of(text: str) -> int:
    """The line limit that a file keeps."""
    return LONG if max(map(len, text.splitlines()), default=0) > SHORT else SHORT


def settle_breaks(text: str, newline: str, limit: int) -> str:
    """Break whatever is marked and too long; take out the marks."""
    if OPEN not in text:
        return text
    return _Layout(newline, limit).lay_out(text, "", "")


@dataclass(frozen=True, slots=True)
class _Layout:
    newline: str
    limit: int

    def lay_out(self, text: str, before: str, indent: str) -> str:
        """Text with its marked pieces broken where they must be; `before` stands in front of it on its line."""
        result = before
        for start, end, after in _pieces(text):
            if end is None:
                result += text[start:after]
                continue
            line = result.rpartition(self.newline)[2]
            own = indent or line[: len(line) - len(line.lstrip())]
            rest = _plain(text[after:]).partition(self.newline)[0]
            result += self.broken(text[start:end], line, own, len(rest))
        return result[len(before) :]

    def broken(self, piece: str, line: str, indent: str, rest: int) -> str:
        """One marked piece behind `line`, with `rest` characters to follow."""
        first, *parts = _split(piece)
        lines = (line + _plain(piece)).split(self.newline)
        if all(len(one) <= self.limit for one in lines) and len(lines[-1]) + rest <= self.limit:
            return _plain(piece)
        result = self.lay_out(first, line, indent)
        inner = indent + "    "
        here = line + result
        for number, part in enumerate(parts):
            head = _plain(part).partition(self.newline)[0]
            column = len(here.rpartition(self.newline)[2])
            more = rest if number == len(parts) - 1 else 0
            if number == 0 or column + len(head) + more > self.limit:
                part = part.lstrip(" ")
                here += self.newline + inner
            here += self.lay_out(part, here.rpartition(self.newline)[2], inner)
        return here[len(line) :]


def _plain(text: str) -> str:
    return _MARKS.sub("", text)


def _pieces(text: str) -> Iterator[tuple[int, int | None, int]]:
    """Stretches of plain text (start, None, end), and marked pieces (start, end, where the text goes on)."""
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        yield position, None, start
        depth = 0
        for end in range(start, len(text)):
            depth += (text[end] == OPEN) - (text[end] == CLOSE)
            if depth == 0:
                break
        yield start + 1, end, end + 1
        position = end + 1
    yield position, None, len(text)


def _split(text: str) -> list[str]:
    """Split at the soft breaks that are not inside of another piece."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character == OPEN) - (character == CLOSE)
        if character == SOFT and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]
