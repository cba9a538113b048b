"""The findings with the code they are about, in the manner of ruff."""

from flax2optax.codemod.summary.frame import frame, visible
from flax2optax.codemod.summary.place import mark_of, place_of
from flax2optax.codemod.summary.report import Finding, Report

_RED, _CYAN, _BLUE, _OFF = "\x1b[1;31m", "\x1b[36m", "\x1b[1;34m", "\x1b[0m"


def render(report: Report) -> str:
    """Return every finding that is left, each closed by an empty line."""
    return "".join(f"{_finding(one, color=report.color)}\n" for one in report.shown)


def _finding(finding: Finding, *, color: bool) -> str:
    red, cyan, blue, off = (_RED, _CYAN, _BLUE, _OFF) if color else ("",) * 4
    one = finding.diagnostic
    lines = frame(finding)
    margin = lines.find("|") - 1 if lines else 1
    head = f"{red}{one.code}{off} {cyan}{mark_of(finding)}{off}{visible(one.message)}\n"
    arrow = f"{' ' * margin}{blue}-->{off} {place_of(one.location)}\n"
    advice = f"{cyan}help{off}: {visible(one.help)}\n" if one.help else ""
    return head + arrow + lines + advice
