"""The source of a support in the style of the file that takes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_INDENTED = re.compile(r":[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*\r?\n)*([ \t]+)\S")


def styled(source: str, text: str) -> str:
    """Return the source in the file's own indent and quotes."""
    source = source.rstrip("\n")
    unit = _indent(text)
    if unit != "  ":
        source = "\n".join(_indented(source.split("\n"), unit))
    if text.count('"') - 6 * text.count('"""') // 2 > text.count("'"):
        source = re.sub(r"'([^'\n]*)'", r'"\1"', source)
    return source


def _indented(lines: Iterable[str], unit: str) -> Iterator[str]:
    """Lines with another unit of indentation; those inside of brackets keep their distance to the first."""
    depth, old, new = 0, 0, ""
    for line in lines:
        width = len(line) - len(line.lstrip(" "))
        if depth == 0:
            old, new = width, unit * (width // 2)
        yield (new + " " * (width - old) + line.lstrip(" ")) if line.strip() else line
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))


def _indent(text: str) -> str:
    """The indent of the first block; four spaces in a file without blocks."""
    for found in re.finditer(r"^(?:def|class|if|for|while|with|try)\b", text, re.MULTILINE):
        if block := _INDENTED.search(text, found.end()):
            return block[1]
    return "    "
