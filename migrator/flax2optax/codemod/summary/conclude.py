"""The plan and the new texts to the outcome: every finding with its place, its help and the fate of its flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flax2optax.codemod.codes import CODES
from flax2optax.codemod.diagnostic import Applicability, Diagnostic, Location, Severity
from flax2optax.codemod.index.comments import Remark
from flax2optax.codemod.index.places import Places
from flax2optax.codemod.outcome import FileChange, FlowSummary, Options, Outcome
from flax2optax.codemod.plan.decide import groups
from flax2optax.codemod.plan.edits import Finding, FlowPlan, MigrationPlan
from flax2optax.codemod.summary.reasons import Reason, reasons

_UNUSED, _STALE = "FXO803", "FXO804"


def conclude(
    planned: MigrationPlan, places: Places, options: Options, texts: Mapping[str, str]
) -> Outcome:
    """Return the whole answer."""
    changes = tuple(FileChange(places.files[path], text) for path, text in texts.items())
    found = [*_failures(places), *_flows(planned, places), *_remarks(planned, places)]
    wanted = tuple(one for one in dict.fromkeys(found) if is_wanted(one.code, options))
    return Outcome(changes, wanted, tuple(_summary(flow, places) for flow in planned.flows))


def is_wanted(code: str, options: Options) -> bool:
    """Return whether a code is selected. Trouble with the input, and ours, is told whatever was selected."""
    selected = options.select is None or code in options.select
    return code.startswith("FXO0") or (selected and code not in options.ignore)


def _failures(places: Places) -> Iterator[Diagnostic]:
    """Files that do not parse; one that is only context is somebody else's affair."""
    for path, failure in places.program.failures.items():
        line, column = failure.line, failure.column
        place = Location(places.files[path].display, line, column, line, column)
        severity = Severity.ERROR if path in places.files.named else Severity.NOTE
        message = f"the file does not parse: {failure}"
        yield Diagnostic("FXO003", message, place, CODES["FXO003"].instead, severity=severity)


def _flows(planned: MigrationPlan, places: Places) -> Iterator[Diagnostic]:
    for group in groups(planned.flows):
        why = reasons(group, places)
        for flow in group:
            telling = _Telling(flow, places, why.get(flow.id))
            for finding in flow.findings:
                if not places.answered(finding.code, finding.node):
                    yield telling.diagnostic(finding)


@dataclass(frozen=True, slots=True)
class _Telling:
    """How the findings of one flow are told; `reason` is None where the flow is applied."""

    flow: FlowPlan
    places: Places
    reason: Reason | None

    def diagnostic(self, finding: Finding) -> Diagnostic:
        return Diagnostic(
            finding.code,
            finding.message,
            self.places.location(finding.node),
            self._help(finding),
            self._fix(finding),
            self.flow.id,
            self._severity(finding),
        )

    def _severity(self, finding: Finding) -> Severity:
        settled = self.reason is not None and self.reason.answered
        return Severity.NOTE if finding.note or settled else Severity.ERROR

    def _fix(self, finding: Finding) -> Applicability | None:
        if finding.blocks or finding.note:
            return None
        if self.flow.applied:
            return Applicability.UNSAFE if self.flow.assumed else Applicability.SAFE
        stopped = self.reason is not None and self.reason.stopped
        return None if stopped else Applicability.UNSAFE

    def _help(self, finding: Finding) -> str:
        if finding.note:
            return finding.help
        if finding.blocks:
            return finding.help or CODES[finding.code].instead
        said = self.reason.text if self.reason is not None else self._company()
        return "; ".join(part for part in (finding.help, said) if part)

    def _company(self) -> str:
        """What goes with an edit."""
        more, files = len(self.flow.edits) - 1, len(self.flow.files)
        if more < 1:
            return ""
        edits = "1 more edit" if more == 1 else f"{more} more edits"
        where = f" in {files} files" if files > 1 else ""
        return f"{edits}{where} {'belongs' if more == 1 else 'belong'} to this flow"


def _remarks(planned: MigrationPlan, places: Places) -> Iterator[Diagnostic]:
    """Comments that speak about findings that are not there."""
    every = [one for flow in planned.flows for one in flow.findings]
    for path in places.files.named:
        remarks = places.remarks(path).remarks
        if remarks:
            here = [one for one in every if places.path(one.node) == path]
            yield from _left_over(path, remarks, here, places)


def _left_over(
    path: str, remarks: Sequence[Remark], here: Sequence[Finding], places: Places
) -> Iterator[Diagnostic]:
    around = places.remarks(path).statements.around
    about = {(one.code, around(places.location(one.node).line)) for one in here}
    for one in remarks:
        if (one.code, one.about) not in about:
            code = _STALE if one.marker else _UNUSED
            display = places.files[path].display
            place = Location(display, one.line, one.column, one.line, one.end_column)
            message = (
                f"{one.code} is {'not found here any more' if one.marker else 'not found here'}"
            )
            yield Diagnostic(code, message, place, CODES[code].instead)


def _summary(flow: FlowPlan, places: Places) -> FlowSummary:
    files = tuple(places.files[path].display for path in flow.files)
    return FlowSummary(flow.id, files, len(flow.edits), flow.applied, flow.form)
