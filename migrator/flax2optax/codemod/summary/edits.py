"""The changes of a file as whole-line edits, for the formats that carry fixes."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flax2optax.codemod.collect.magic import split_lines
from flax2optax.codemod.outcome import FileChange
from flax2optax.codemod.summary.report import Finding, Report, State


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines `start` up to but without `end`, 1-based, give way to `content`."""

    start: int
    end: int
    content: str

    def touches(self, first: int, last: int) -> bool:
        """Return whether the edit changes a line of the range, or is put right before or behind it."""
        slack = int(self.start == self.end)
        return self.start <= last + slack and self.end > first - slack


Edits = Mapping[str, tuple[Edit, ...]]


def edits_of(report: Report) -> Edits:
    """Return the edits of each changed file by its display path. A notebook's lines are those of its cells joined."""
    return {change.source.display: tuple(_edits(change)) for change in report.changes}


def fix_of(finding: Finding, edits: Edits) -> tuple[Edit, ...]:
    """Return the edits at the finding; the rest of its flow goes with them."""
    place = finding.diagnostic.location
    if finding.state not in (State.FIXABLE, State.FIXED) or place.cell is not None:
        return ()
    here = edits.get(place.path, ())
    return tuple(edit for edit in here if edit.touches(place.line, place.end_line))


def _edits(change: FileChange) -> Iterable[Edit]:
    before, after = split_lines(change.source.text), split_lines(change.text)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag != "equal":
            yield Edit(old_from + 1, old_to + 1, "".join(after[new_from:new_to]))
