"""Plan and outcome to text. In: the outcome, the files, whether it was written. Out: a `Report`, and its text in a format.

Never: decides anything, colours code through markup, reads a file.
"""

from importlib import import_module
from typing import Protocol, cast

from flax2optax.codemod.summary.patch import patch
from flax2optax.codemod.summary.report import Finding, Report, State, make_report
from flax2optax.codemod.summary.statistics import closing_line, per_code

__all__ = [
    "FORMATS",
    "Finding",
    "Report",
    "State",
    "closing_line",
    "make_report",
    "patch",
    "per_code",
    "render",
]

FORMATS = ("concise", "full", "github", "gitlab", "json", "markdown", "rdjson", "sarif")


class _Format(Protocol):
    """A module of `formats`."""

    def render(self, report: Report) -> str:
        """Return the whole report, ending in a line end unless it is empty."""
        ...


def render(report: Report, name: str) -> str:
    """Return the report in one of `FORMATS`. Only the asked format is imported."""
    module = import_module(f"flax2optax.codemod.summary.formats.{name}")
    return cast(_Format, module).render(report)
