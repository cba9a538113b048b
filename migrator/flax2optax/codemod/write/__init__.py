"""Changes to disk. In: the changed files and the flows they belong to. Out: what was written, and why the rest was not.

A file is wholly old or wholly new at every moment. Files that share a flow are written all or none.
What a run replaces is in a journal first, so `undo` can put it back, also after a kill.
Never: touches a file whose bytes are not the ones that were read, or a file that would stay the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flax2optax.codemod.diagnostic import Diagnostic, Location
from flax2optax.codemod.outcome import FileChange, FlowSummary
from flax2optax.codemod.write.atomic import Replacement, WriteError, replace_all
from flax2optax.codemod.write.dirty import dirty_files
from flax2optax.codemod.write.groups import groups_of
from flax2optax.codemod.write.journal import Journal

__all__ = ["Written", "rehearse", "write"]

Problems = dict[str, Diagnostic]


@dataclass(frozen=True, slots=True)
class Written:
    """The changes that are on disk now, the ones that are not, and the run's name for `undo` if there is one."""

    done: tuple[FileChange, ...]
    refused: tuple[FileChange, ...]
    run: str | None = None


def write(
    changes: Sequence[FileChange],
    flows: Sequence[FlowSummary],
    *,
    state: Path,
    allow_dirty: bool = False,
) -> tuple[Written, tuple[Diagnostic, ...]]:
    """Write every group of files that hang together, or leave that group as it is."""
    files, problems = _encoded(changes)
    groups = groups_of(changes, flows)
    if not allow_dirty:
        problems |= _dirty(changes)
    journal = Journal.begin(
        state, [files[c] for group in groups if _sound(group, problems) for c in group]
    )
    done: list[FileChange] = []
    for group in groups:
        if _sound(group, problems) and _exchanged(group, files, problems):
            done += group
    journal.finish([files[change].path for change in done])
    refused = tuple(change for change in changes if change not in done)
    return Written(tuple(done), refused, journal.run), tuple(problems.values())


def rehearse(
    changes: Sequence[FileChange], flows: Sequence[FlowSummary]
) -> tuple[Written, tuple[Diagnostic, ...]]:
    """Return what would be written as far as the new text decides it; the disk is not looked at."""
    _, problems = _encoded(changes)
    groups = groups_of(changes, flows)
    done = tuple(change for group in groups if _sound(group, problems) for change in group)
    refused = tuple(change for change in changes if change not in done)
    return Written(done, refused), tuple(problems.values())


def _encoded(changes: Iterable[FileChange]) -> tuple[Mapping[FileChange, Replacement], Problems]:
    """Return the new bytes of every file, and by file what must not or cannot be written."""
    files: dict[FileChange, Replacement] = {}
    problems: Problems = {}
    for change in changes:
        source = change.source
        if not source.writable:
            problems[source.display] = _problem("FXO005", change, "it was not named, only read")
        try:
            files[change] = Replacement(source.path, source.data, change.encode())
        except ValueError as problem:
            problems[source.display] = _problem("FXO005", change, str(problem))
    return files, problems


def _exchanged(
    group: Sequence[FileChange], files: Mapping[FileChange, Replacement], problems: Problems
) -> bool:
    wanted = {files[change].path: change for change in group if files[change].changes}
    try:
        replace_all([files[change] for change in wanted.values()])
    except WriteError as problem:
        change = wanted[problem.path]
        code = "FXO004" if problem.changed else "FXO005"
        problems[change.source.display] = _problem(code, change, problem.reason)
        return False
    return True


def _sound(group: Sequence[FileChange], problems: Problems) -> bool:
    return not any(change.source.display in problems for change in group)


def _dirty(changes: Sequence[FileChange]) -> Problems:
    reasons = dirty_files([change.source.path for change in changes])
    return {
        change.source.display: _problem("FXO006", change, reasons[change.source.path])
        for change in changes
        if change.source.path in reasons
    }


def _problem(code: str, change: FileChange, reason: str) -> Diagnostic:
    place = Location(change.source.display, 1, 1, 1, 1)
    return Diagnostic(code, f"The file was not written: {reason}", place)
