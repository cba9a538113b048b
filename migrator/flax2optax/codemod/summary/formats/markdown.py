"""A table for a pull request or a workflow's summary."""

from flax2optax.codemod.summary.place import mark_of, place_of
from flax2optax.codemod.summary.report import Finding, Report
from flax2optax.codemod.summary.statistics import closing_line


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
    """Code spans keep their backticks; everything else that Markdown or HTML would take is escaped."""
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return escaped.replace("*", "\\*").replace("_", "\\_") if "`" not in text else escaped
