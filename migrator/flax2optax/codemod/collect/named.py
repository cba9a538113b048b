"""What the user named, file by file. It can be gone through again, so that nothing of it has to be remembered."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from flax2optax.codemod.collect.ignore import NEVER, Rules, patterns
from flax2optax.codemod.collect.reading import unreadable
from flax2optax.codemod.collect.walk import NOTEBOOK, PYTHON, walk
from flax2optax.codemod.diagnostic import Diagnostic


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files are looked at. Patterns are in gitignore's language, relative to `base`."""

    base: Path
    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    respect_gitignore: bool = True
    notebooks: bool = True

    @property
    def endings(self) -> tuple[str, ...]:
        """The ends of the names that a walk looks at."""
        return PYTHON + NOTEBOOK if self.notebooks else PYTHON

    @property
    def rules(self) -> Rules:
        """`exclude` takes the place of the folders that are nobody's source, `extend_exclude` adds to them."""
        lines = (self.exclude or ()) + self.extend_exclude
        return Rules(
            names=NEVER if self.exclude is None else frozenset({".git"}),
            excluded=patterns(os.path.realpath(self.base), lines),
            respect_gitignore=self.respect_gitignore,
        )


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file to look at. `top` is the folder it was found through; `rules` is None if it was named itself."""

    path: str
    display: str
    top: str
    rules: Rules | None

    def ignored(self) -> bool:
        """Return whether git or the user ignores this very file."""
        return self.rules is not None and self.rules.skips(self.path, folder=False)


@dataclass
class Named:
    """The paths as given, and after a pass over them the ones that are not Python."""

    paths: tuple[str, ...]
    selection: Selection
    _skipped: set[str] = field(default_factory=set)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Named files that are not Python."""
        return tuple(sorted(self._skipped))

    def files(self) -> Iterator[NamedFile | Diagnostic]:
        """Yield every file, and what stands in the way of finding one."""
        rules = self.selection.rules
        for given in self.paths:
            if os.path.isdir(given):
                yield from self._below(given, rules)
            elif self._wants(given, rules):
                yield NamedFile(given, os.path.normpath(given), os.path.dirname(given) or ".", None)

    def real_paths(self) -> frozenset[Path]:
        """Return the files that may be written."""
        return _real_paths(self.paths, self.selection)

    def _below(self, given: str, rules: Rules) -> Iterator[NamedFile | Diagnostic]:
        top = os.path.realpath(given)
        for found in walk(top, rules, self.selection.endings):
            if isinstance(found, OSError):
                yield unreadable(_shown(given, top, str(found.filename or top)), found)
            else:
                yield NamedFile(found[0], _shown(given, top, found[0]), given, found[1])

    def _wants(self, given: str, rules: Rules) -> bool:
        if given.endswith(NOTEBOOK) and not self.selection.notebooks:
            return False
        base = os.path.realpath(self.selection.base)
        if self.selection.force_exclude and rules.skips_named(os.path.realpath(given), base):
            return False
        if given.endswith(PYTHON + NOTEBOOK) or _is_script(given):
            return True
        self._skipped.add(given)
        return False


@cache
def _real_paths(paths: tuple[str, ...], selection: Selection) -> frozenset[Path]:
    found = Named(paths, selection).files()
    return frozenset(
        Path(os.path.realpath(one.path))
        for one in found
        if isinstance(one, NamedFile) and not one.ignored()
    )


def _shown(given: str, top: str, path: str) -> str:
    return os.path.normpath(given + os.sep + path[len(top) + 1 :])


def _is_script(path: str) -> bool:
    """A file that cannot be opened is reported later, when it is read."""
    try:
        with open(path, "rb") as file:
            first = file.readline(200)
    except OSError:
        return True
    return first.startswith(b"#!") and b"python" in first
