"""What there is to tell: every finding with what became of it, in the order of the files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from flax2optax.codemod.collect.notebook import NotebookEncode
from flax2optax.codemod.diagnostic import Applicability, Diagnostic, Location, Severity
from flax2optax.codemod.outcome import FileChange, FlowSummary, Outcome
from flax2optax.codemod.source import SourceFile


class State(StrEnum):
    """What became of a finding."""

    FIXED = "fixed"
    FIXABLE = "fixable"
    UNSAFE = "unsafe"
    MANUAL = "manual"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic, what became of it, and the file it is in if that could be read."""

    diagnostic: Diagnostic
    state: State
    source: SourceFile | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a format may show. `shown` are the findings without those that are done."""

    findings: tuple[Finding, ...]
    flows: tuple[FlowSummary, ...]
    changes: tuple[FileChange, ...]
    wrote: bool
    color: bool = False

    @property
    def shown(self) -> tuple[Finding, ...]:
        """The findings that a reader still has to see."""
        return tuple(one for one in self.findings if one.state is not State.FIXED)

    @property
    def remaining(self) -> int:
        """How many findings keep the exit code at 1."""
        return sum(one.state not in (State.FIXED, State.NOTE) for one in self.findings)


def make_report(
    outcome: Outcome, sources: Sequence[SourceFile], *, wrote: bool, color: bool = False
) -> Report:
    """Sort the findings and tell what became of each. `wrote` means that the changes are on disk."""
    by_name = {source.display: source for source in sources}
    flows = {flow.id: flow for flow in outcome.flows}
    changed = frozenset(change.source.display for change in outcome.changes)
    findings = tuple(
        Finding(
            placed(diagnostic, by_name),
            _state(diagnostic, flows, changed, wrote=wrote),
            by_name.get(diagnostic.location.path),
        )
        for diagnostic in outcome.diagnostics
    )
    ordered = tuple(sorted(findings, key=_order))
    return Report(ordered, outcome.flows, outcome.changes, wrote, color)


def placed(diagnostic: Diagnostic, sources: Mapping[str, SourceFile]) -> Diagnostic:
    """Return the diagnostic with its place in the notebook's cell, where it only has one in the module."""
    source = sources.get(diagnostic.location.path)
    if source is None or diagnostic.location.cell or not isinstance(source.encode, NotebookEncode):
        return diagnostic
    return replace(diagnostic, location=_in_cell(diagnostic.location, source.encode))


def _in_cell(location: Location, notebook: NotebookEncode) -> Location:
    if not notebook.cells:
        return location
    cell, line = notebook.place(location.line)
    end = line + location.end_line - location.line
    return replace(location, line=line, end_line=end, cell=cell)


def _state(
    diagnostic: Diagnostic,
    flows: Mapping[str, FlowSummary],
    changed: frozenset[str],
    *,
    wrote: bool,
) -> State:
    if diagnostic.severity is Severity.NOTE:
        return State.NOTE
    if diagnostic.fix is None or diagnostic.fix is Applicability.DISPLAY:
        return State.MANUAL
    if diagnostic.flow is None:
        applied = diagnostic.location.path in changed
    else:
        applied = diagnostic.flow in flows and flows[diagnostic.flow].applied
    if applied:
        return State.FIXED if wrote else State.FIXABLE
    return State.UNSAFE if diagnostic.fix is Applicability.UNSAFE else State.MANUAL


def _order(finding: Finding) -> tuple[str, int, int, int, str]:
    place = finding.diagnostic.location
    return place.path, place.cell or 0, place.line, place.column, finding.diagnostic.code
