"""One project under the tool: what became of its flows and files, and what no migration may do.

`python benchmarks/scoring.py`, in a copy of the project, prints the answer as JSON; `scorecard.py` calls it.
The copy is changed: the migration is written, and the tool runs again on what it wrote.
"""

import ast
import json
import resource
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]
sys.path[:0] = [str(TOP / "migrator"), str(TOP / "rules")]

from pyflakes import checker, messages  # noqa: E402

from flax2optax.codemod.collect import Collected, Selection, collect  # noqa: E402
from flax2optax.codemod.diagnostic import Diagnostic, Severity  # noqa: E402
from flax2optax.codemod.outcome import FileChange, FlowSummary, Options, Outcome  # noqa: E402
from flax2optax.codemod.pipeline import migrate  # noqa: E402

LOOSE = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
CONSEQUENCE = "left as it was"  # how the help of a finding begins that is not the reason itself
COUNTED = (messages.UndefinedName, messages.UnusedImport)


def main() -> int:
    """Score the project in the current folder."""
    try:
        answer = score()
    except Exception:
        answer = {"crashed": traceback.format_exc(limit=-3)}
    print(json.dumps(answer))
    return 0


def score() -> dict[str, Any]:
    """Everything that the card needs, as plain data."""
    start = time.perf_counter()
    read, problems = collected()
    outcome = migrated(read, Options(todo=False))
    seconds, peak = time.perf_counter() - start, memory()
    unsafe = migrated(read, Options(todo=False, unsafe=True))
    for change in outcome.changes:
        change.source.path.write_bytes(change.encode())
    after, more = collected()
    again = migrated(after, Options(todo=False))
    told = [*problems, *more, *outcome.diagnostics, *again.diagnostics]
    return {
        "seconds": seconds,
        "mib": peak,
        "flows": flows(outcome, unsafe),
        "files": files(outcome, unsafe),
        "before_linen": before_linen(outcome),
        "again": sorted(change.source.display for change in again.changes),
        "faults": [fault for change in outcome.changes for fault in faults(change)],
        "unsafe_faults": [fault for change in unsafe.changes for fault in faults(change)],
        "left": sorted(left(after, told)),
        "named": sorted(one.display for one in read.candidates if uses(one.text)),
    }


def collected() -> tuple[Collected, tuple[Diagnostic, ...]]:
    """The candidates of the current folder."""
    return collect(["."], Selection(Path.cwd()))


def migrated(read: Collected, options: Options) -> Outcome:
    """What the pipeline makes of them."""
    return migrate(read.candidates, options, read.projects)


def memory() -> float:
    """The most memory this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def flows(outcome: Outcome, unsafe: Outcome) -> list[dict[str, Any]]:
    """Each flow's files, whether it migrates, and the codes of what stops it or a flow that it shares files with."""
    bold = {flow.id for flow in unsafe.flows if flow.applied}
    own, _ = causes(outcome)
    return [
        {
            "files": flow.files,
            "fate": fate(flow.applied, flow.id in bold),
            "codes": sorted(own[flow.id] or shared(flow, outcome.flows, own)),
        }
        for flow in outcome.flows
        if flow.id.startswith("flow-")
    ]


def shared(
    flow: FlowSummary, every: Iterable[FlowSummary], own: Mapping[str, set[str]]
) -> set[str]:
    """The codes of the flows that stand or fall with one, through files they share."""
    files, near, size = set(flow.files), [flow], 0
    while size != len(near):
        size = len(near)
        near = [one for one in every if not files.isdisjoint(one.files)]
        files.update(path for one in near for path in one.files)
    return {code for one in near for code in own.get(one.id, ())}


def before_linen(outcome: Outcome) -> list[str]:
    """The files of flows that reach modules from before Linen, in whichever of their files."""
    own, _ = causes(outcome)
    flows_of_these = (
        flow for flow in outcome.flows if "FXO902" in shared(flow, outcome.flows, own)
    )
    return sorted({path for flow in flows_of_these for path in flow.files})


def fate(applied: bool, bold: bool) -> str:
    """One word for what becomes of something."""
    return "migrated" if applied else "unsafe" if bold else "refused"


def causes(outcome: Outcome) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """By flow and by file, the codes of what needs a person; other findings are left because of these."""
    flows: dict[str, set[str]] = defaultdict(set)
    files: dict[str, set[str]] = defaultdict(set)
    for one in outcome.diagnostics:
        if one.severity is Severity.ERROR and one.fix is None and CONSEQUENCE not in one.help:
            flows[one.flow or ""].add(one.code)
            files[one.location.path].add(one.code)
    return flows, files


def files(outcome: Outcome, unsafe: Outcome) -> dict[str, dict[str, Any]]:
    """Each file with findings: fully migrated or not, and the codes of what stops it, here or elsewhere."""
    safe, bold = remaining(outcome), remaining(unsafe)
    _, here = causes(outcome)
    of_flows = {
        name: set(flow["codes"]) for flow in flows(outcome, unsafe) for name in flow["files"]
    }
    return {
        path: {
            "fate": fate(not left, not bold.get(path)),
            "codes": sorted(here[path] or of_flows.get(path, set())) if left else [],
        }
        for path, left in safe.items()
    }


def remaining(outcome: Outcome) -> dict[str, set[str]]:
    """By file, the flows of the findings that no edit resolves."""
    applied = {flow.id for flow in outcome.flows if flow.applied}
    found: dict[str, set[str]] = {}
    for one in outcome.diagnostics:
        left = found.setdefault(one.location.path, set())
        if one.severity is Severity.ERROR and not (one.fix and one.flow in applied):
            left.add(one.flow or "")
    return found


# What no migration may do


def faults(change: FileChange) -> Iterator[str]:
    """New text that does not compile, or has an undefined name or an unused import that it did not have before."""
    name = change.source.display
    try:
        new = remarks(change.text)
    except (SyntaxError, ValueError) as problem:
        yield f"{name}: does not compile: {problem}"
        return
    for (kind, what), count in (new - remarks(change.source.text)).items():
        yield f"{name}: {count} new {kind}: {what}"


def remarks(text: str) -> Counter[tuple[str, str]]:
    """What pyflakes says of names and imports; raises SyntaxError."""
    tree = compile(text, "<text>", "exec", LOOSE, dont_inherit=True)
    found = checker.Checker(tree).messages
    return Counter(
        (type(one).__name__, str(one.message_args[0])) for one in found if isinstance(one, COUNTED)
    )


def left(read: Collected, told: Iterable[Diagnostic]) -> Iterator[str]:
    """Uses of flax.optim by name, in what was written, in whose line nothing is found."""
    covered: dict[str, set[int]] = {}
    for one in told:
        place = one.location
        lines = covered.setdefault(place.path, set())
        lines.update(range(place.line, place.end_line + 1))
        if one.code.startswith("FXO0"):  # the file could not be read
            lines.add(0)
    for source in read.candidates:
        lines = covered.get(source.display, set())
        if 0 in lines:
            continue
        yield from (f"{source.display}:{use}" for use in uses(source.text) if use not in lines)


def uses(text: str) -> list[int]:
    """Lines where a name of flax.optim is used, or imported for nothing."""
    try:
        tree = compile(text, "<text>", "exec", LOOSE, dont_inherit=True)
    except (SyntaxError, ValueError):
        return []
    bound = imported(tree)
    whole = "flax" in {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names = {
        node.id: node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    idle = {line for name, line in bound.items() if name not in names}
    used = {
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id in bound and isinstance(node.ctx, ast.Load))
        or (whole and isinstance(node, ast.Attribute) and ast.unparse(node) == "flax.optim")
    }
    return sorted(idle | used)


def imported(tree: ast.AST) -> Mapping[str, int]:
    """The names that mean flax.optim or something in it, with the line that binds them."""
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                if f"{node.module}.{alias.name}".startswith("flax.optim"):
                    bound[alias.asname or alias.name] = node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("flax.optim") and alias.asname:
                    bound[alias.asname] = node.lineno
    return bound


if __name__ == "__main__":
    sys.exit(main())
