"""Which folders and files are not looked at: what git ignores, what the user excludes, what is nobody's source."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_NEVER = """
    .bzr .direnv .eggs .git .git-rewrite .hg .ipynb_checkpoints .mypy_cache .nox .pants.d .pyenv
    .pytest_cache .pytype .ruff_cache .svn .tox .venv .vscode __pycache__ __pypackages__ _build
    buck-out build dist node_modules site-packages venv
"""
NEVER = frozenset(_NEVER.split())
_ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns in gitignore's language, and the folder they are relative to."""

    base: str
    spec: "GitIgnoreSpec"

    def verdict(self, path: str) -> bool | None:
        """Return True for ignored, False for named with `!`, None for not named. Folders end in a slash."""
        below = path[len(self.base) + 1 :] if path.startswith(self.base + os.sep) else ""
        return self.spec.check_file(below.replace(os.sep, "/")).include if below else None


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in one folder. `ignored` is ordered from the top down: the deepest file decides."""

    names: frozenset[str] = NEVER
    excluded: tuple[Patterns, ...] = ()
    ignored: tuple[Patterns, ...] = ()
    respect_gitignore: bool = True

    def skips(self, path: str, *, folder: bool) -> bool:
        """Return whether an entry of this folder is to be passed over."""
        if folder and os.path.basename(path) in self.names:
            return True
        if not self.excluded and not self.ignored:
            return False
        shown = path + os.sep if folder else path
        return _says(self.excluded, shown) or _says(self.ignored, shown)

    def skips_named(self, path: str, base: str) -> bool:
        """Return whether a file named itself is excluded by a pattern or by a folder's name below `base`."""
        parts = os.path.relpath(path, base).split(os.sep)[:-1]
        return not self.names.isdisjoint(parts) or _says(self.excluded, path)

    def inside(self, folder: str, entries: frozenset[str]) -> "Rules":
        """Return the rules for a folder that has these entries."""
        if not self.respect_gitignore:
            return self
        outer = () if ".git" in entries else self.ignored
        own = tuple(_git_patterns(folder, entries))
        return self if outer == self.ignored and not own else replace(self, ignored=outer + own)


def is_environment(entries: frozenset[str]) -> bool:
    """Return whether a folder with these entries is a virtual environment."""
    return not _ENVIRONMENT_MARKS.isdisjoint(entries)


def rules_above(folder: str, rules: Rules) -> Rules:
    """Return the rules that hold in `folder` by what lies above it, if it is not ignored itself.

    A folder that git ignores was named on purpose.
    """
    if not rules.respect_gitignore or ".git" in os.listdir(folder):
        return rules
    found = rules
    for above in _up_to_repository(folder):
        found = found.inside(above, frozenset(os.listdir(above)))
    parts = _between(found.ignored[0].base, folder) if found.ignored else ()
    return rules if any(_says(found.ignored, part + os.sep) for part in parts) else found


def patterns(base: str, lines: Sequence[str]) -> tuple[Patterns, ...]:
    """Return the patterns of some lines; none if there are none."""
    wanted = [line for line in lines if line.strip()]
    if not wanted:
        return ()
    from pathspec import GitIgnoreSpec  # as costly to import as a thousand files are to read

    return (Patterns(base, GitIgnoreSpec.from_lines(wanted)),)


def _says(chain: tuple[Patterns, ...], path: str) -> bool:
    for one in reversed(chain):
        verdict = one.verdict(path)
        if verdict is not None:
            return verdict
    return False


def _git_patterns(folder: str, entries: frozenset[str]) -> Iterator[Patterns]:
    files = [".git/info/exclude"] if ".git" in entries else []
    files += [".gitignore"] if ".gitignore" in entries else []
    for name in files:
        try:
            text = Path(folder, name).read_text("utf-8", "replace")
        except OSError:
            continue
        yield from patterns(folder, text.splitlines())


def _up_to_repository(folder: str) -> list[str]:
    """The folders from the repository's top down to the parent of `folder`; none outside of a repository."""
    for index, above in enumerate(Path(folder).parents):
        if (above / ".git").exists():
            return [str(path) for path in reversed(Path(folder).parents[: index + 1])]
    return []


def _between(top: str, folder: str) -> Iterator[str]:
    for path in (folder, *map(str, Path(folder).parents)):
        if not path.startswith(top + os.sep):
            return
        yield path
