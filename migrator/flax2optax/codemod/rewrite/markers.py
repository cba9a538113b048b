"""Marker comments above the statements that need a person; nothing but whole comment lines is ever added."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flax2optax.codemod.index.comments import MARK, Remarks
from flax2optax.codemod.index.places import Places
from flax2optax.codemod.plan.edits import Finding, MigrationPlan


@dataclass(frozen=True, slots=True)
class Mark:
    """What a marker says, and the line of the finding it is for."""

    code: str
    line: int
    sentence: str


def mark_files(
    planned: MigrationPlan, places: Places, wanted: Callable[[str], bool]
) -> dict[str, str]:
    """Return the new text of every file that gets a marker; such a file has no applied flow."""
    marks: dict[str, list[Mark]] = {}
    for flow in planned.flows:
        for one in flow.findings:
            if one.blocks and _needs_a_person(one, places) and wanted(one.code):
                line = places.location(one.node).line
                marks.setdefault(places.path(one.node), []).append(
                    Mark(one.code, line, one.message)
                )
    texts = ((path, places.files[path].text, here) for path, here in marks.items())
    marked = {path: mark(text, places.remarks(path), here) for path, text, here in texts}
    return {path: text for path, text in marked.items() if text != places.files[path].text}


def _needs_a_person(finding: Finding, places: Places) -> bool:
    """Nobody has to act on our own faults, on an answered finding, or in a file that is only context."""
    if finding.code.startswith("FXO0") or places.answered(finding.code, finding.node):
        return False
    return places.files[places.path(finding.node)].writable


def mark(text: str, remarks: Remarks, wanted: Iterable[Mark]) -> str:
    """Write one marker per code and run of statements, where there is none yet."""
    lines = _lines(text)
    above: dict[int, dict[str, str]] = {}
    last: dict[str, int] = {}
    for one in sorted(wanted, key=lambda one: one.line):
        first, end = remarks.statements.around(one.line)
        behind = last.get(one.code)
        last[one.code] = end
        if not _adjacent(lines, behind, first) and not remarks.markers(one.code, one.line):
            above.setdefault(first, {}).setdefault(one.code, _comment(one))
    return _marked(text, lines, sorted(above.items(), reverse=True))


def _adjacent(lines: list[str], behind: int | None, first: int) -> bool:
    """Whether a statement follows one with the same finding, so that the marker above that one does for both."""
    if behind is None:
        return False
    between = (line.strip() for line in lines[behind : first - 1])
    return all(not line or line.startswith("#") for line in between)


def _marked(text: str, lines: list[str], above: list[tuple[int, dict[str, str]]]) -> str:
    """Write all of them; if one of the places is no place for a comment, all but that."""
    new = lines
    for first, comments in above:
        new = _with_lines(new, first, list(comments.values()))
    if _same_code(text, "".join(new)):
        return "".join(new)
    for first, comments in above:
        new = _with_lines(lines, first, list(comments.values()))
        lines = new if _same_code(text, "".join(new)) else lines
    return "".join(lines)


def _lines(text: str) -> list[str]:
    pieces = text.split("\n")
    return [piece + "\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _with_lines(lines: list[str], first: int, comments: list[str]) -> list[str]:
    line = lines[first - 1]
    indent = line[: len(line) - len(line.lstrip(" \t\f"))]
    end = "\r\n" if line.endswith("\r\n") else "\n"
    return [*lines[: first - 1], *(indent + one + end for one in comments), *lines[first - 1 :]]


def _comment(one: Mark) -> str:
    """A sentence in ASCII, which every encoding of a Python file can hold."""
    words = " ".join(one.sentence.split()).rstrip(".").replace("…", "...")
    sentence = (words[:1].upper() + words[1:]).encode("ascii", "backslashreplace").decode()
    return f"# {MARK}: {one.code} {sentence}. See: flax2optax explain {one.code}"


def _same_code(before: str, after: str) -> bool:
    """Refuse a place inside a string or a continued line."""
    try:
        return ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))
    except (SyntaxError, ValueError, RecursionError):
        return False
