"""One line for each finding."""

from flax2optax.codemod.summary.frame import visible
from flax2optax.codemod.summary.place import mark_of, place_of
from flax2optax.codemod.summary.report import Finding, Report


def render(report: Report) -> str:
    """Return every finding that is left."""
    return "".join(_line(one) for one in report.shown)


def _line(finding: Finding) -> str:
    one = finding.diagnostic
    return f"{place_of(one.location)}: {one.code} {mark_of(finding)}{visible(one.message)}\n"
