"""The files of one program by real path: those named, and those of the project around them, read when asked for."""

import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path

from flax2optax.codemod.collect.project import Project
from flax2optax.codemod.diagnostic import Diagnostic
from flax2optax.codemod.source import SourceFile


class ProgramFiles:
    """`known` are the files read so far; `named` are the ones the user asked about."""

    def __init__(self, sources: Sequence[SourceFile], project: Project | None) -> None:
        self.known = {os.path.realpath(source.path): source for source in sources}
        self.named = tuple(self.known)
        self._project = project
        around = project.paths if project is not None else ()
        self.paths = frozenset(self.known) | frozenset(map(str, around))

    def __getitem__(self, path: str) -> SourceFile:
        return self.known[path]

    def text(self, path: str) -> str | None:
        """Return the text of a file; None where it cannot be read."""
        if path not in self.known and self._project is not None:
            found = self._project.read(Path(path))
            if isinstance(found, Diagnostic):
                return None
            self.known[path] = found
        return self.known[path].text if path in self.known else None


def by_root(sources: Sequence[SourceFile]) -> Mapping[Path, list[SourceFile]]:
    """Sort files into programs: the files of one root are one program."""
    programs: dict[Path, list[SourceFile]] = {}
    for source in sources:
        programs.setdefault(source.root, []).append(source)
    return programs
