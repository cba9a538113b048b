"""What a child process leaves behind, and the sentences for what can go wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

OUTCOME: Final = "outcome.json"
PROBLEM: Final = "problem.txt"
SAID: Final = 40
"""So many of its last lines are kept."""


class CannotRunError(Exception):
    """There is no proof; the message is the sentence that says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of the command."""

    name: str
    folder: Path
    code: int
    seconds: float
    said: Sequence[str] = ()
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> dict[str, int]:
        """Raw steps per stream."""
        return dict(self.told.get("steps", {}))

    @property
    def last_line(self) -> str:
        """The last thing it said, which for a Python program is the exception."""
        lines = [line for line in self.said if line.strip()]
        return lines[-1].strip() if lines else "it said nothing"


def read_told(folder: Path) -> dict[str, Any]:
    """What the recorder told at the end; nothing if it did not get that far."""
    file = folder / OUTCOME
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    problem = folder / PROBLEM
    if problem.is_file():
        found["problems"] = [*found.get("problems", ()), *problem.read_text().splitlines()]
    return found


def check(outcome: Outcome, side: str) -> None:
    """Raise CannotRunError for a run that proves nothing."""
    if outcome.code == 127:
        raise CannotRunError(f"The command was not found: {outcome.last_line}.")
    if outcome.code:
        raise CannotRunError(_failed(outcome, side))
    for problem in outcome.told.get("problems", ()):
        raise CannotRunError(f"The recorder failed in the program {side}: {problem}")
    if not outcome.steps:
        raise CannotRunError(
            f"The program {side} ends without an optimizer step; {_why_none(outcome)}"
        )


def _failed(outcome: Outcome, side: str) -> str:
    how = "for reasons of its own" if side == "before" else "where the program before does not,"
    steps = sum(outcome.steps.values())
    when = f"after {steps} optimizer steps" if steps else "before its first optimizer step"
    return (
        f"The program {side} fails {how} {when}, with exit code {outcome.code}: {outcome.last_line}"
    )


def _why_none(outcome: Outcome) -> str:
    if not outcome.told:
        return "the command does not import jax in a Python that reads `sitecustomize`."
    return "`Optimizer.apply_gradient` or `tx.update` is never called."
