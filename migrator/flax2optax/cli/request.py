"""What one run is asked to do."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from flax2optax.cli.settings import Settings
from flax2optax.codemod.collect import STDIN


class Mode(Enum):
    """What is done with the changes."""

    WRITE = "write"
    REPORT = "report"
    DIFF = "diff"
    NAMES = "names"


@dataclass(frozen=True, slots=True)
class Request:
    """Everything the user said."""

    paths: tuple[str, ...]
    mode: Mode
    settings: Settings
    base: Path
    stdin_filename: str | None = None
    output_file: Path | None = None
    statistics: bool = False
    allow_dirty: bool = False
    exit_zero: bool = False
    exit_non_zero_on_fix: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool = False

    @property
    def from_stdin(self) -> bool:
        """Return whether one file is read from standard input and written to standard output."""
        return self.paths == (STDIN,)

    @property
    def puts_out(self) -> bool:
        """Return whether standard output is for something else than the report."""
        return self.mode in (Mode.DIFF, Mode.NAMES) or (self.from_stdin and self.mode is Mode.WRITE)
