"""migrate(): the six stages on one screen."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from pathlib import Path

from flax2optax.codemod.collect import Project
from flax2optax.codemod.diagnostic import Applicability, Diagnostic, Location, Severity
from flax2optax.codemod.index.program import Program
from flax2optax.codemod.index.spans import Spans
from flax2optax.codemod.infer import infer
from flax2optax.codemod.outcome import FileChange, FlowSummary, Options, Outcome
from flax2optax.codemod.plan import plan
from flax2optax.codemod.plan.edits import Edit, Finding, FlowPlan, MigrationPlan
from flax2optax.codemod.rewrite import FileEdits, rewrite
from flax2optax.codemod.source import SourceFile

GONE = ("flax.optim",)


def migrate(
    sources: Sequence[SourceFile], options: Options, projects: Mapping[Path, Project] | None = None
) -> Outcome:
    """Plan and rewrite programs; files of one `root` are one program, with the rest of it as context."""
    outcomes = []
    for root in dict.fromkeys(source.root for source in sources):
        own = [source for source in sources if source.root == root]
        outcomes.append(_migrate_program(root, own, options, (projects or {}).get(root)))
    return Outcome(
        tuple(c for o in outcomes for c in o.changes),
        tuple(d for o in outcomes for d in o.diagnostics),
        tuple(f for o in outcomes for f in o.flows),
    )


def _migrate_program(
    root: Path, sources: Sequence[SourceFile], options: Options, project: Project | None
) -> Outcome:
    files = _Files(sources, project)
    program = Program(tuple(files.known), files.paths, files.text, os.path.realpath(root))
    facts = infer(program, tuple(files.known))
    planned = plan(facts, unsafe=options.unsafe)
    writer = _Writer(program, files, planned)
    return Outcome(tuple(writer.changes()), tuple(writer.diagnostics()), tuple(writer.summaries()))


class _Files:
    """The sources of one program by real path; those of the project around them are read when asked for."""

    def __init__(self, sources: Sequence[SourceFile], project: Project | None) -> None:
        self.known = {os.path.realpath(source.path): source for source in sources}
        self.project = project
        around = project.paths if project is not None else ()
        self.paths = frozenset(self.known) | frozenset(map(str, around))

    def __getitem__(self, path: str) -> SourceFile:
        return self.known[path]

    def text(self, path: str) -> str | None:
        """The text of a file; None where it cannot be read."""
        if path not in self.known and self.project is not None:
            found = self.project.read(Path(path))
            if isinstance(found, Diagnostic):
                return None
            self.known[path] = found
        return self.known[path].text if path in self.known else None


class _Writer:
    """Turns a plan into changes and diagnostics; spans are computed for the files it touches."""

    def __init__(self, program: Program, sources: _Files, planned: MigrationPlan) -> None:
        self.program, self.sources, self.planned = program, sources, planned
        self._spans: dict[str, Spans] = {}

    def spans(self, path: str) -> Spans:
        if path not in self._spans:
            module = self.program.modules[path]
            self._spans[path] = Spans(self.sources[path].text, self.sources[path].display, module.base)
        return self._spans[path]

    def changes(self) -> Iterable[FileChange]:
        applied = [flow for flow in self.planned.flows if flow.applied]
        for path in dict.fromkeys(p for flow in applied for p in flow.files):
            flows = [flow for flow in applied if path in flow.files]
            module = self.program.modules[path]
            edits = [e for f in flows for e in f.edits if _owner(e) in range(module.base, module.base + module.size)]
            imports = dict.fromkeys(line for f in flows for line in f.imports.get(path, ()))
            supports = dict.fromkeys(name for f in flows for name in f.supports.get(path, ()))
            text = rewrite(self.spans(path), FileEdits(edits, imports, supports), GONE)
            if text != self.sources[path].text:
                yield FileChange(self.sources[path], text)

    def diagnostics(self) -> Iterable[Diagnostic]:
        for path, failure in self.program.failures.items():
            place = Location(self.sources[path].display, failure.line, failure.column, failure.line, failure.column)
            yield Diagnostic("FXO003", f"the file does not parse: {failure}", place)
        for flow in self.planned.flows:
            for finding in flow.findings:
                yield self._diagnostic(flow, finding)

    def _diagnostic(self, flow: FlowPlan, finding: Finding) -> Diagnostic:
        path = self.program.owner(finding.node).path
        location = self.spans(path).location(finding.node)
        severity = Severity.NOTE if finding.note else Severity.ERROR
        fix = None
        if not finding.blocks and not finding.note and not flow.blocked:
            fix = Applicability.UNSAFE if flow.assumed else Applicability.SAFE
            fix = fix if flow.applied or flow.assumed else None
        return Diagnostic(finding.code, finding.message, location, finding.help, fix, flow.id, severity)

    def summaries(self) -> Iterable[FlowSummary]:
        for flow in self.planned.flows:
            files = tuple(self.sources[path].display for path in flow.files)
            yield FlowSummary(flow.id, files, len(flow.edits), flow.applied, flow.form)


def _owner(edit: Edit) -> int:
    line = getattr(edit, "line", None)
    return line if line is not None else edit.node  # type: ignore[union-attr]


