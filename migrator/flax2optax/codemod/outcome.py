"""What `pipeline.migrate` is asked and what it answers: plain data between the codemod and its callers."""

from dataclasses import dataclass
from typing import Literal

from flax2optax.codemod.diagnostic import Diagnostic
from flax2optax.codemod.source import SourceFile

Form = Literal["auto", "explicit", "state"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for. `select` is None for all; codes are whole codes, never prefixes."""

    form: Form = "auto"
    unsafe: bool = False
    select: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()
    todo: bool = True


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file and its new Python text (of a notebook: the text of all its code cells)."""

    source: SourceFile
    text: str

    def encode(self) -> bytes:
        """Return the new bytes of the whole file."""
        return self.source.encode(self.text)


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """Every place one optimizer reaches. `files` are display paths; `applied` means its edits are in the changes."""

    id: str
    files: tuple[str, ...]
    edits: int
    applied: bool
    form: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole answer; nothing has been written yet."""

    changes: tuple[FileChange, ...]
    diagnostics: tuple[Diagnostic, ...]
    flows: tuple[FlowSummary, ...]
