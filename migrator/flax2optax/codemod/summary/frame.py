"""The lines of a finding as a reader sees them: tabs and control characters made visible, nothing interpreted."""

import unicodedata
from itertools import islice

from flax2optax.codemod.collect.magic import split_lines, unmask
from flax2optax.codemod.collect.notebook import NotebookEncode
from flax2optax.codemod.summary.report import Finding

_TAB = "    "
_SHOWN = 8


def source_lines(finding: Finding) -> list[str]:
    """Return the source lines of a finding, none if the file could not be read."""
    place, source = finding.diagnostic.location, finding.source
    if source is None:
        return []
    text = source.text
    if place.cell is not None and isinstance(source.encode, NotebookEncode):
        cells = {cell.number: cell.text for cell in source.encode.cells}
        text = unmask(cells.get(place.cell, ""))
    lines = split_lines(text)[place.line - 1 : place.end_line]
    return [line.rstrip("\r\n") for line in lines]


def frame(finding: Finding) -> str:
    """Return the lines with their numbers and carets below, in the manner of ruff."""
    place = finding.diagnostic.location
    lines = source_lines(finding)
    if not lines:
        return ""
    margin = " " * len(str(place.line + len(lines) - 1))
    rows = [f"{margin} |\n"]
    for offset, line in enumerate(islice(lines, _SHOWN)):
        start = place.column - 1 if offset == 0 else len(line) - len(line.lstrip())
        end = place.end_column - 1 if offset == len(lines) - 1 else len(line)
        before, marked = visible(line[:start]), visible(line[start:end])
        rows.append(f"{place.line + offset:>{len(margin)}} | {visible(line)}\n")
        rows.append(f"{margin} | {' ' * width(before)}{'^' * max(1, width(marked))}\n")
    if len(lines) > _SHOWN:
        rows.append(f"{margin} | …\n")
    return "".join(rows)


def visible(text: str) -> str:
    """Return the text so that a terminal shows it and does not obey it."""
    return "".join(_TAB if char == "\t" else _shown(char) for char in text)


def width(text: str) -> int:
    """Return how many columns a terminal gives the text."""
    return sum(_columns(char) for char in text)


def _shown(char: str) -> str:
    if ord(char) < 32:
        return chr(0x2400 + ord(char))
    return "\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
