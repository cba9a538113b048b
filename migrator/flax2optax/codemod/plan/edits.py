"""The plan as data: edits keyed by node, imports and supports per file, findings, and one decision per flow."""

from __future__ import annotations

from dataclasses import dataclass, field

from flax2optax.codemod.index.tree import NodeId


@dataclass(frozen=True, slots=True)
class Hole:
    """The source of a node after its own edits; in parentheses where `wrap` says its place may need them."""

    node: NodeId
    wrap: bool = False


Piece = str | Hole
Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """Write `pieces` in the place of a node. `finding` numbers the finding this edit belongs to."""

    node: NodeId
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class InsertBefore:
    """Write whole lines above the logical line `line`, at its indent; '\\t' at a line's start is one more level."""

    line: NodeId
    lines: tuple[Pieces, ...]


@dataclass(frozen=True, slots=True)
class ReplaceStatement:
    """Write whole lines in the place of a statement that stands alone on its line."""

    node: NodeId
    line: NodeId
    lines: tuple[Pieces, ...]


Edit = Replace | InsertBefore | ReplaceStatement


@dataclass(slots=True)
class Finding:
    """A use of the old API or the reason a flow stops. `blocks`: nothing of its flow may be changed."""

    code: str
    node: NodeId
    message: str
    help: str = ""
    blocks: bool = False
    note: bool = False


@dataclass(slots=True)
class FlowPlan:
    """One flow: its edits and findings, the form chosen, whether it goes ahead, and whether that is only assumed.

    `held` are findings that would be resolved, but that the user does not want touched.
    """

    id: str
    root: NodeId
    form: str = "state"
    edits: list[Edit] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    imports: dict[str, dict[str, None]] = field(default_factory=dict)
    supports: dict[str, dict[str, None]] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    # Files that stand or fall with it, unchanged by it.
    beside: dict[str, None] = field(default_factory=dict)
    held: list[Finding] = field(default_factory=list)
    # What is taken for granted; each needs somebody's word.
    assumptions: dict[str, None] = field(default_factory=dict)
    applied: bool = False

    @property
    def assumed(self) -> bool:
        """Whether only the user can know that it is right."""
        return bool(self.assumptions)

    @property
    def blocked(self) -> bool:
        """Whether something stops it."""
        return any(finding.blocks for finding in self.findings)


@dataclass(slots=True)
class MigrationPlan:
    """All flows, in the order of their first line."""

    flows: list[FlowPlan]
