"""A finding: its code, its place, what to do about it. Every stage makes them, only `summary` prints them."""

from dataclasses import dataclass
from enum import StrEnum


class Applicability(StrEnum):
    """Whether a fix may be applied, in ruff's words."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    DISPLAY = "display"


class Severity(StrEnum):
    """`ERROR` keeps the exit code at 1 until it is fixed or answered; `NOTE` only tells."""

    ERROR = "error"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A half-open range in one file: 1-based lines, 1-based columns in characters; `cell` is 1-based in notebooks."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `fix` is None where a person is needed; `flow` names the edits that are applied together."""

    code: str
    message: str
    location: Location
    help: str = ""
    fix: Applicability | None = None
    flow: str | None = None
    severity: Severity = Severity.ERROR
