"""Everything about one proof, as plain data."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from .evidence import Evidence

SCHEMA: Final = 1
Answer = Literal["equal", "equal to rounding", "differs", "not run"]
EXIT: Final[Mapping[Answer, int]] = {
    "equal": 0,
    "equal to rounding": 0,
    "differs": 1,
    "not run": 2,
}


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one side, without the recorder's copies: seconds, and bytes at the peak."""

    compile: float
    step: float
    peak: int
    steps: int


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict and all it rests on; `sentence` is for people."""

    answer: Answer
    sentence: str
    command: str
    leaf: str = ""
    step: int = 0
    ratio: float = 0.0
    cause: str = ""
    evidence: tuple[Evidence, ...] = ()
    counters: tuple[int, ...] = ()
    speed: Mapping[str, Speed] = field(default_factory=dict)
    losses: Mapping[str, Sequence[float]] = field(default_factory=dict)
    rates: Sequence[float] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    devices: Sequence[str] = ()
    platform: str = ""
    seeds: Sequence[int] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 proven, 1 not the same, 2 no proof."""
        return EXIT[self.answer]

    @property
    def decisive(self) -> Evidence | None:
        """The comparison that was made first and most exactly."""
        return self.evidence[0] if self.evidence else None


def to_json(report: Report) -> str:
    """One JSON object; what is infinite or no number is null there."""
    found = {"schema_version": SCHEMA, "exit_code": report.exit_code} | asdict(report)
    return json.dumps(_plain(found), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
