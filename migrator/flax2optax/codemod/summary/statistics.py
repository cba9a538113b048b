"""The last line, and the table of `--statistics`."""

from collections import Counter

from flax2optax.codemod.codes import CODES
from flax2optax.codemod.mention import NOTHING_FOUND
from flax2optax.codemod.summary.report import Finding, Report, State


def closing_line(report: Report) -> str:
    """Return the sentence that closes a report, with its line end."""
    findings = [one for one in report.findings if one.state is not State.NOTE]
    notes = len(report.findings) - len(findings)
    if not report.findings:
        return NOTHING_FOUND
    files = {one.diagnostic.location.path for one in findings}
    found = [
        _count(len(findings), "finding"),
        "in",
        f"{_count(len(files), 'file')},",
        f"{_count(len(report.flows), 'flow')}.",
    ]
    rest = f", {_count(notes, 'note')}" if notes else ""
    return f"Found {' '.join(found)} {_fates(findings, wrote=report.wrote)}{rest}.\n"


def per_code(report: Report) -> str:
    """Return one line per code, the most frequent first."""
    counts = Counter(one.diagnostic.code for one in report.findings)
    fixable = {
        one.diagnostic.code for one in report.findings if one.state in (State.FIXABLE, State.FIXED)
    }
    width = max((len(str(count)) for count in counts.values()), default=0)
    lines = (
        f"{count:>{width}}\t{code}\t[{'*' if code in fixable else ' '}] {_title(code)}\n"
        for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    return "".join(lines)


def _fates(findings: list[Finding], *, wrote: bool) -> str:
    counts = Counter(one.state for one in findings)
    done = f"{counts[State.FIXED]} fixed" if wrote else f"[*] {counts[State.FIXABLE]} fixable"
    unsafe = counts[State.UNSAFE]
    more = f", {unsafe} more with --unsafe-fixes" if unsafe else ""
    manual = counts[State.MANUAL]
    return f"{done}{more}, {manual} {'needs' if manual == 1 else 'need'} you"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _title(code: str) -> str:
    return CODES[code].title if code in CODES else ""
