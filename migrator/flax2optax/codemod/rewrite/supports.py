"""The source of a support in the style of the file that takes it."""

from __future__ import annotations

import re

_INDENTED = re.compile(r":[ \t]*(?:#[^\n]*)?\r?\n([ \t]+)\S")


def styled(source: str, text: str) -> str:
    """Return the source in the file's own indent and quotes."""
    source = source.rstrip("\n")
    unit = _indent(text)
    if unit != "  ":
        source = re.sub(r"^(  )+", lambda m: unit * (len(m[0]) // 2), source, flags=re.MULTILINE)
    if text.count('"') - 6 * text.count('"""') // 2 > text.count("'"):
        source = re.sub(r"'([^'\n]*)'", r'"\1"', source)
    return source


def _indent(text: str) -> str:
    """The indent of the first block; four spaces in a file without blocks."""
    for found in re.finditer(r"^(?:def|class|if|for|while|with|try)\b", text, re.MULTILINE):
        if block := _INDENTED.search(text, found.end()):
            return block[1]
    return "    "
