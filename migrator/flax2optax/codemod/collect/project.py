"""The program around the named files: its top folder, and every Python file below it, read only when asked."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flax2optax.codemod.collect.ignore import Rules
from flax2optax.codemod.collect.reading import Place, read_source
from flax2optax.codemod.collect.walk import walk
from flax2optax.codemod.diagnostic import Diagnostic
from flax2optax.codemod.source import SourceFile

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg")


@dataclass(frozen=True)
class Project:
    """One program. A file of it that the user did not name is context: it is read and never written."""

    root: Path
    endings: tuple[str, ...]
    named: Callable[[], frozenset[Path]]

    @cached_property
    def paths(self) -> frozenset[Path]:
        """Every Python file and notebook of the project that git does not ignore, by its real path."""
        found = walk(str(self.root), Rules(), self.endings)
        return frozenset(
            Path(os.path.realpath(one[0]))
            for one in found
            if not isinstance(one, OSError) and not one[1].skips(one[0], folder=False)
        )

    def read(self, path: Path) -> SourceFile | Diagnostic:
        """Read one file of the project, or say why it cannot be read."""
        writable = path in self.named()
        return read_source(Place(path, _display(path), self.root, writable))


def project_root(path: Path, given: Path) -> Path:
    """Return the top folder of the repository; without one the nearest with packaging, or the folder given."""
    for above in path.parents:
        if (above / ".git").exists():
            return above
    for above in path.parents:
        # A module may be called setup.py: inside of a package it marks no project.
        if not (above / "__init__.py").exists() and any((above / mark).exists() for mark in _MARKS):
            return above
    return given if given.is_dir() else given.parent


def _display(path: Path) -> str:
    below = os.path.relpath(path)
    return str(path) if below.startswith(os.pardir) else below
