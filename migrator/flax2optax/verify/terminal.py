"""The report for people at a terminal, and as Markdown for a pull request."""

from collections.abc import Iterator, Sequence

from .evidence import Evidence
from .report import Report

MARKS = {"equal": "✓", "equal to rounding": "✓", "differs": "✗", "not run": "?"}
MEBI = 1 << 20


def to_text(report: Report) -> str:
    """A few lines and two small tables."""
    return "\n".join(_lines(report)) + "\n"


def to_markdown(report: Report) -> str:
    """Fits a comment: the verdict, the comparisons, the speed, the command."""
    lines = [f"### flax2optax verify: {MARKS[report.answer]} {report.answer}", "", report.sentence]
    lines += ["", report.cause] if report.cause else []
    if report.evidence:
        lines += [
            "",
            "| comparison | verdict | largest ratio | leaf | step |",
            "|---|---|---|---|---|",
        ]
        lines += [f"| {' | '.join(row)} |" for row in map(_row, report.evidence)]
    if report.speed:
        lines += ["", "| | compile | step | peak memory |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in speed_rows(report)]
    lines += ["", *(f"* {note}" for note in report.notes)] if report.notes else []
    lines += ["", f"`{report.command}`", "", _told(report)]
    return "\n".join(lines).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"{MARKS[report.answer]} {report.answer}: {report.sentence}"
    if report.cause:
        yield f"  likely cause: {report.cause}"
    if report.evidence:
        yield ""
        heads = ("comparison", "verdict", "largest ratio", "leaf", "step")
        yield from _table([heads, *map(_row, report.evidence)])
    if report.speed:
        yield ""
        yield from _table([("", "compile", "step", "peak memory"), *speed_rows(report)])
    if report.counters:
        yield f"\nstep counters visited: {', '.join(map(str, report.counters))}"
    yield from (f"note: {note}" for note in report.notes)
    yield _told(report)


def _row(one: Evidence) -> tuple[str, ...]:
    verdict = one.verdict
    word = "differs" if not verdict.equal else "equal" if verdict.ratio == 0 else "rounding"
    return one.name, word, f"{verdict.ratio:.3g}", verdict.leaf or "–", str(verdict.step or "–")


def speed_rows(report: Report) -> list[tuple[str, ...]]:
    """Both sides, and what one is of the other."""
    rows: list[tuple[str, ...]] = [
        (
            side,
            f"{one.compile:.2f} s",
            f"{one.step * 1000:.3g} ms",
            f"{one.peak / MEBI:.0f} MiB" if one.peak else "–",
        )
        for side, one in report.speed.items()
    ]
    before, after = (report.speed.get(side) for side in ("before", "after"))
    if before and after and before.step and before.compile and before.peak:
        ratios = after.compile / before.compile, after.step / before.step, after.peak / before.peak
        rows.append(("after / before", *(f"{ratio:.2f}" for ratio in ratios)))
    return rows


def where(report: Report) -> str:
    """The devices."""
    return f"{len(report.devices)} × {report.devices[0]}" if report.devices else ""


def _told(report: Report) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    words = [one for one in (versions, where(report), f"{report.seconds:.0f} s") if one]
    return " · ".join(words)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
