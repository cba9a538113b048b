"""What a notebook's magics and shell lines tell: pins of an old flax, and code that no stage can see."""

import re
from collections.abc import Iterator

from flax2optax.codemod.collect.magic import masked_lines
from flax2optax.codemod.collect.notebook import Cell, NotebookEncode
from flax2optax.codemod.diagnostic import Diagnostic, Location, Severity
from flax2optax.codemod.mention import mentions_api

_PIN = re.compile(r"pip3?\s+install\b.*?(?<![\w-])(flax\s*(?:==|<=?|~=)\s*[\w.]+)")


def notebook_notes(display: str, notebook: NotebookEncode) -> Iterator[Diagnostic]:
    """Yield the findings of one notebook."""
    for cell in notebook.cells:
        lines = masked_lines(cell.text)
        yield from _pins(display, cell.number, lines)
        hidden = "\n".join(content for _, content in lines)
        if mentions_api(hidden.encode("utf-8", "replace")):
            yield _hidden(_whole_line(display, cell, lines[0]))


def _pins(display: str, cell: int, lines: list[tuple[int, str]]) -> Iterator[Diagnostic]:
    for number, content in lines:
        found = _PIN.search(content)
        if found:
            start, end = found.span(1)
            yield Diagnostic(
                "FXO802",
                f"`{found[1]}` pins flax to a version that has flax.optim",
                Location(display, number, start + 1, number, end + 1, cell),
                help="install a current flax, and optax",
                severity=Severity.NOTE,
            )


def _hidden(location: Location) -> Diagnostic:
    return Diagnostic(
        "FXO904",
        "The code in this magic names flax.optim and cannot be migrated",
        location,
        help="move it to a file of its own or to a plain cell",
    )


def _whole_line(display: str, cell: Cell, line: tuple[int, str]) -> Location:
    number, content = line
    return Location(display, number, 1, number, len(content) + 1, cell.number)
