"""Soft breaks: where new text may be broken, and where it is, if its line would be too long."""

from __future__ import annotations

SOFT = "\v"
SHORT, LONG = 80, 100


def limit_of(text: str) -> int:
    """The line limit that a file keeps."""
    return LONG if max(map(len, text.splitlines()), default=0) > SHORT else SHORT


def break_softly(text: str, before: int, indent: str, newline: str, limit: int) -> str:
    """Break at the marks of `text` if it needs it; `before` is how much already stands on its first line."""
    if SOFT not in text:
        return text
    whole = text.replace(SOFT, "")
    first, _, rest = whole.partition(newline)
    if before + len(first) <= limit and all(len(line) <= limit for line in rest.split(newline)):
        return whole
    start, *parts = text.split(SOFT)
    lines, column = [start], limit
    for part in parts:
        head = part.partition(newline)[0]
        if column + len(head) > limit:
            part = part.lstrip(" ")
            lines.append(newline + indent + "    ")
            column = len(indent) + 4
        lines.append(part)
        last = part.rpartition(newline)[2]
        column = len(last) if newline in part else column + len(part)
    return "".join(lines)
