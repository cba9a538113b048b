"""One run of `migrate` or `check`: collect, migrate, act, tell. The stages do the work; this only connects them."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from flax2optax.cli.request import Mode, Request
from flax2optax.cli.telling import tell
from flax2optax.codemod.collect import Collected, collect, collect_stdin
from flax2optax.codemod.diagnostic import Diagnostic
from flax2optax.codemod.outcome import Options, Outcome
from flax2optax.codemod.summary import Report, make_report, patch
from flax2optax.codemod.write import Written, rehearse, write
from flax2optax.codemod.write.journal import state_folder

_DIRTY = "FXO006"


def execute(request: Request) -> int:
    """Return the exit code, after everything is done and told."""
    data = sys.stdin.buffer.read() if request.from_stdin else b""
    collected, found = gather(request, data)
    options = _options(request)
    outcome = _migrated(collected, options)
    outcome = replace(outcome, diagnostics=(*_wanted(found, options), *outcome.diagnostics))
    outcome, written = _settled(request, outcome)
    wrote = request.mode is Mode.WRITE
    sources = (*collected.candidates, *(change.source for change in outcome.changes))
    report = make_report(outcome, sources, wrote=wrote, color=request.color)
    _put_out(request, outcome, data)
    _warn(request, collected, written)
    tell(report, request)
    return _exit_code(request, report)


def _options(request: Request) -> Options:
    """A command that only reports plans no markers."""
    options = request.settings.options()
    return replace(options, todo=options.todo and request.mode is not Mode.REPORT)


def gather(request: Request, data: bytes) -> tuple[Collected, tuple[Diagnostic, ...]]:
    """Return the candidates among what the user named, and what was wrong with the rest."""
    selection = request.settings.selection(request.base)
    if request.from_stdin:
        return collect_stdin(data, request.stdin_filename, selection)
    return collect(request.paths, selection)


def _migrated(collected: Collected, options: Options) -> Outcome:
    """The stages in the middle import LibCST, which costs more than a run without candidates."""
    if not collected.candidates:
        return Outcome((), (), ())
    from flax2optax.codemod.pipeline import migrate

    return migrate(collected.candidates, options, collected.projects)


def _wanted(found: Sequence[Diagnostic], options: Options) -> list[Diagnostic]:
    """Trouble with the input is told whatever was selected."""
    return [
        one
        for one in found
        if one.code.startswith("FXO0")
        or (
            (options.select is None or one.code in options.select)
            and one.code not in options.ignore
        )
    ]


def _settled(request: Request, outcome: Outcome) -> tuple[Outcome, Written]:
    """Write, or find out what could be written, and take back what cannot."""
    if request.mode is Mode.WRITE and not request.from_stdin:
        written, problems = write(
            outcome.changes,
            outcome.flows,
            state=state_folder(),
            allow_dirty=request.allow_dirty,
        )
    else:
        written, problems = rehearse(outcome.changes, outcome.flows)
    refused = frozenset(change.source.display for change in written.refused)
    flows = tuple(
        replace(flow, applied=flow.applied and refused.isdisjoint(flow.files))
        for flow in outcome.flows
    )
    return Outcome(written.done, (*outcome.diagnostics, *problems), flows), written


def _put_out(request: Request, outcome: Outcome, data: bytes) -> None:
    """What goes to standard output besides the report."""
    changes = outcome.changes
    match request.mode:
        case Mode.DIFF:
            _put_bytes(patch(changes, Path.cwd().resolve()))
        case Mode.NAMES:
            for change in changes:
                click.echo(change.source.display)
        case Mode.WRITE if request.from_stdin:
            _put_bytes(changes[0].encode() if changes else data)


def _put_bytes(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _warn(request: Request, collected: Collected, written: Written) -> None:
    for name in collected.skipped:
        click.echo(f"warning: {name} is not a Python file", err=True)
    if request.verbose:
        for source in collected.candidates:
            click.echo(f"read {source.display} (project {source.root})", err=True)
    if request.mode is Mode.WRITE and not request.from_stdin and written.done:
        if written.run is None:
            click.echo("warning: no journal could be kept, so undo is not possible", err=True)
        elif not request.quiet:
            click.echo(f"To put everything back: flax2optax undo {written.run}", err=True)


def _exit_code(request: Request, report: Report) -> int:
    codes = {one.diagnostic.code for one in report.findings}
    if _DIRTY in codes:
        return 2
    changed = bool(report.changes)
    left = report.remaining > 0 or (changed and request.mode is not Mode.WRITE)
    if left and not request.exit_zero:
        return 1
    return int(changed and request.exit_non_zero_on_fix)
