"""The graph as plain data: stations, what happens there, and the moves between them, flow by flow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a station is."""

    FUNCTION = "function"
    FIELD = "field"
    MODULE = "module"


class Does(StrEnum):
    """What happens to an optimizer at a station, in the order in which it is told."""

    MAKES = "makes"
    CREATES = "creates"
    TAKES = "takes"
    CLOSES_OVER = "closes over"
    READS = "reads"
    PARAMS = "reads its params"
    STEPS = "steps"
    CHANGES = "changes"
    STORES = "stores"
    SAVES = "saves"
    RESTORES = "restores"
    RETURNS = "returns"


class How(StrEnum):
    """How an optimizer gets from one station to another."""

    CALL = "call"
    CALLBACK = "callback"
    CLOSURE = "closure"
    FIELD = "field"
    IMPORT = "import"


class Fate(StrEnum):
    """What becomes of a flow."""

    MIGRATES = "migrates"
    UNSAFE = "unsafe"
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class Place:
    """A 1-based line of a module, in a notebook of its 1-based `cell`; the top level is of none, and comes first."""

    module: str
    line: int
    cell: int | None = None

    def __lt__(self, other: Place) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[str, int, int]:
        return self.module, self.cell or 0, self.line


@dataclass(frozen=True, slots=True)
class Role:
    """One thing that happens at a station; `what` names a class, parameter or field, `at` are places if they tell more."""

    does: Does
    what: str = ""
    at: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a flow stays as it is."""

    code: str
    place: Place
    reason: str


@dataclass(frozen=True, slots=True)
class Station:
    """A function, a field or the top level of a module; `stops` are the codes of what is in the way there."""

    number: int
    kind: Kind
    name: str
    place: Place
    roles: tuple[Role, ...]
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """From the station numbered `source` to `target`; `back` says that it comes back, `by` which library carries it."""

    source: int
    target: int
    how: How
    back: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Every place one optimizer (or several that meet) reaches, and what becomes of it.

    `because` is the reason where another flow's stop, an answer or a missing flag keeps this one.
    """

    id: str
    optimizers: tuple[str, ...]
    fate: Fate
    form: str
    edits: int
    files: tuple[str, ...]
    stops: tuple[Stop, ...]
    because: str
    stations: tuple[Station, ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """All flows, what stands in the way that belongs to no optimizer, and the named files that do not parse."""

    flows: tuple[Flow, ...] = ()
    beside: tuple[Stop, ...] = ()
    unread: tuple[Stop, ...] = ()
