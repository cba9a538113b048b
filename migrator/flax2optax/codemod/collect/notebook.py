"""A notebook as one Python module, and edits of that module as edits of the source lines in the JSON.

Cells are parted by marker comments, which an edit must leave in place.
"""

import codecs
import difflib
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flax2optax.codemod.collect.json_text import Text, literal, parse
from flax2optax.codemod.collect.magic import is_python, mask, mask_all, split_lines, unmask
from flax2optax.codemod.mention import mentions_api

_MARKER = "# %%[flax2optax:cell={}]\n"
_MARKERS = re.compile(r"^# %%\[flax2optax:cell=(\d+)\]\n", re.MULTILINE)


class NotebookError(ValueError):
    """The file is no notebook that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell: its 1-based number among all cells, its JSON strings, its text in the module."""

    number: int
    parts: tuple[Text, ...]
    joined: bool
    text: str

    @property
    def code(self) -> str:
        """The cell's own source."""
        return "".join(self.parts)


@dataclass(frozen=True)
class NotebookEncode:
    """The way back: puts the changed lines into the JSON text and leaves every other byte."""

    raw: str
    cells: tuple[Cell, ...]
    bom: bytes

    def __call__(self, text: str) -> bytes:
        """Return the new bytes of the whole file."""
        new = self._split(text)
        edits = [
            edit
            for cell, code in zip(self.cells, new, strict=True)
            for edit in self._edits(cell, code)
        ]
        raw = self.raw
        for start, end, content in reversed(edits):
            raw = raw[:start] + content + raw[end:]
        return self.bom + raw.encode()

    def place(self, line: int) -> tuple[int, int]:
        """Return the cell number and the line in it for a 1-based line of the module."""
        index = max(0, bisect_right(self._starts, line) - 1)
        return self.cells[index].number, max(1, line - self._starts[index] + 1)

    @cached_property
    def _starts(self) -> list[int]:
        """The line of the module at which each cell's own text begins."""
        starts, line = [], 1
        for index, cell in enumerate(self.cells):
            line += index > 0
            starts.append(line)
            line += cell.text.count("\n")
        return starts

    def _split(self, text: str) -> list[str]:
        pieces = _MARKERS.split(text)
        numbers = [int(number) for number in pieces[1::2]]
        if numbers != [cell.number for cell in self.cells[1:]]:
            raise NotebookError("the new text has lost the borders between cells")
        return [_own(cell, piece) for cell, piece in zip(self.cells, pieces[::2], strict=True)]

    def _edits(self, cell: Cell, code: str) -> list[tuple[int, int, str]]:
        if code == cell.code:
            return []
        if cell.joined or not _one_line_each(cell.parts):
            contents = [code] if cell.joined else split_lines(code)
            return [(cell.parts[0].start, cell.parts[-1].end, self._join(cell, contents))]
        return self._line_edits(cell, split_lines(code))

    def _line_edits(self, cell: Cell, new: list[str]) -> list[tuple[int, int, str]]:
        matcher = difflib.SequenceMatcher(None, cell.parts, new, autojunk=False)
        return [
            self._edit(cell, old_from, old_to, new[new_from:new_to])
            for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes()
            if tag != "equal"
        ]

    def _edit(self, cell: Cell, start: int, end: int, new: list[str]) -> tuple[int, int, str]:
        parts, content = cell.parts, self._join(cell, new)
        if start < end and new:
            return parts[start].start, parts[end - 1].end, content
        if start > 0:
            comma = self._separator(cell) if new else ""
            return parts[start - 1].end, parts[end - 1].end, comma + content
        if new:
            return parts[0].start, parts[0].start, content + self._separator(cell)
        last = parts[end].start if end < len(parts) else parts[-1].end
        return parts[0].start, last, ""

    def _join(self, cell: Cell, contents: list[str]) -> str:
        return self._separator(cell).join(literal(content, self.raw) for content in contents)

    def _separator(self, cell: Cell) -> str:
        """What stands between two lines of this cell; of a single line, what stands before it."""
        if len(cell.parts) > 1:
            return self.raw[cell.parts[0].end : cell.parts[1].start]
        bracket = self.raw.rfind("[", 0, cell.parts[0].start)
        return "," + (self.raw[bracket + 1 : cell.parts[0].start] or " ")


def decode_notebook(data: bytes) -> tuple[str, NotebookEncode] | None:
    """Return the module of all code cells and its way back; None if the notebook is in another language."""
    bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    raw = data[len(bom) :].decode("utf-8")
    tree = _tree(raw)
    if not _speaks_python(tree):
        return None
    cells = tuple(_code_cells(tree))
    text = "".join(
        cell.text if index == 0 else _MARKER.format(cell.number) + cell.text
        for index, cell in enumerate(cells)
    )
    encode = NotebookEncode(raw, cells, bom)
    if encode(text) != data:
        raise NotebookError("it already holds the marks this tool puts around magics")
    return text, encode


def _tree(raw: str) -> dict[str, Any]:
    try:
        tree = parse(raw)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise NotebookError(f"not valid JSON: {problem}") from None
    if not isinstance(tree, dict) or not isinstance(tree.get("cells"), list):
        raise NotebookError("not a notebook of nbformat 4")
    return tree


def _speaks_python(tree: dict[str, Any]) -> bool:
    """A notebook that names no language is Python."""
    metadata = tree.get("metadata") or {}
    named = (metadata.get("language_info") or {}).get("name")
    named = named or (metadata.get("kernelspec") or {}).get("language") or "python"
    return str(named).lower() in ("python", "ipython")


def _code_cells(tree: dict[str, Any]) -> Iterator[Cell]:
    for number, cell in enumerate(tree["cells"], 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", [])
        parts = (source,) if isinstance(source, str) else tuple(source)
        if not all(isinstance(part, Text) for part in parts):
            raise NotebookError(f"cell {number} has no source that is text")
        if "".join(parts):
            yield Cell(number, parts, isinstance(source, str), _cell_text("".join(parts)))


def _cell_text(code: str) -> str:
    """A cell that cannot run at all is masked whole, unless it may be ours to report."""
    text = mask(code)
    if not is_python(text) and not mentions_api(code.encode("utf-8", "replace")):
        text = mask_all(code)
    return text if text.endswith("\n") else text + "\n"


def _own(cell: Cell, piece: str) -> str:
    """Return the source of a cell for its text, without the final line end it did not have."""
    code = unmask(piece)
    return code if cell.code.endswith("\n") else code.removesuffix("\n")


def _one_line_each(parts: tuple[Text, ...]) -> bool:
    return all(split_lines(part) == [part] for part in parts) and all(
        part.endswith("\n") for part in parts[:-1]
    )
