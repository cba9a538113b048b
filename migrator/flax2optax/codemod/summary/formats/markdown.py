"""A table for a pull request or a workflow's summary."""

import re

from flax2optax.codemod.summary.place import mark_of, place_of
from flax2optax.codemod.summary.report import Finding, Report
from flax2optax.codemod.summary.statistics import closing_line

_PLAIN = re.compile(r"[\\*_<\[]")


def render(report: Report) -> str:
    """Return the closing line and, if something is left, a table."""
    head = closing_line(report)
    if not report.shown:
        return head
    rows = "".join(_row(one) for one in report.shown)
    return f"{head}\n| where | code | what |\n|---|---|---|\n{rows}"


def _row(finding: Finding) -> str:
    one = finding.diagnostic
    what = _cell(f"{mark_of(finding)}{one.message}")
    return f"| {_cell(place_of(one.location))} | {one.code} | {what} |\n"


def _cell(text: str) -> str:
    """Code spans stay as they are, but for the bar that would end the cell."""
    parts = " ".join(text.split()).split("`")
    escaped = [
        _PLAIN.sub(r"\\\g<0>", part) if index % 2 == 0 else part for index, part in enumerate(parts)
    ]
    return "`".join(escaped).replace("|", "\\|")
