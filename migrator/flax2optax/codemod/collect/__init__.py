"""Paths to `SourceFile`. In: what the user named. Out: the files that may use the API, and the projects around them.

Bytes are searched before anything is parsed; what cannot be read is a diagnostic.
Never: imports LibCST, skips a named file in silence, enters a virtual environment, writes.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flax2optax.codemod.collect.named import Named, NamedFile, Selection
from flax2optax.codemod.collect.project import Project, project_root
from flax2optax.codemod.collect.reading import Place, notes, source_of, unreadable
from flax2optax.codemod.diagnostic import Diagnostic
from flax2optax.codemod.mention import mentions_api
from flax2optax.codemod.source import SourceFile

STDIN = "-"

__all__ = ["Collected", "Project", "Selection", "collect", "collect_stdin", "mentions_api"]


@dataclass(frozen=True, slots=True)
class Collected:
    """The named files whose bytes mention the API, and by its root the project around each of them.

    `skipped` are named files that are not Python.
    """

    candidates: tuple[SourceFile, ...]
    projects: Mapping[Path, Project]
    skipped: tuple[str, ...] = ()


def collect(paths: Sequence[str], selection: Selection) -> tuple[Collected, tuple[Diagnostic, ...]]:
    """Read the candidates among the named files and folders, each once, in the order of their paths."""
    named = Named(tuple(paths), selection)
    problems: list[Diagnostic] = []
    sources: dict[Path, SourceFile] = {}
    for found in named.files():
        if isinstance(found, Diagnostic):
            problems.append(found)
            continue
        for read in _read(found, sources):
            if isinstance(read, Diagnostic):
                problems.append(read)
            else:
                sources[read.path] = read
    candidates = tuple(sorted(sources.values(), key=lambda source: source.display))
    collected = Collected(candidates, _projects(candidates, named), named.skipped)
    return collected, (*problems, *(note for source in candidates for note in notes(source)))


def collect_stdin(
    data: bytes, name: str | None, selection: Selection
) -> tuple[Collected, tuple[Diagnostic, ...]]:
    """Take one file from standard input; its name, if it has one, tells where in which project it would stand."""
    if not mentions_api(data):
        return Collected((), {}), ()
    path = Path(os.path.realpath(name or STDIN))
    source = source_of(Place(path, name or STDIN, project_root(path, path.parent)), data)
    if isinstance(source, Diagnostic):
        return Collected((), {}), (source,)
    named = Named((name,) if name else (), selection)
    return Collected((source,), _projects([source] if name else [], named)), tuple(notes(source))


def _read(found: NamedFile, known: Mapping[Path, SourceFile]) -> Iterator[SourceFile | Diagnostic]:
    """Yield the file if it is a candidate that was not read under another name."""
    try:
        with open(found.path, "rb", buffering=0) as file:
            data = file.read()
    except OSError as problem:
        yield unreadable(found.display, problem)
        return
    if not mentions_api(data) or found.ignored():
        return
    path = Path(os.path.realpath(found.path))
    if path not in known:
        yield source_of(Place(path, found.display, project_root(path, Path(found.top))), data)


def _projects(candidates: Sequence[SourceFile], named: Named) -> Mapping[Path, Project]:
    roots = {source.root for source in candidates}
    return {root: Project(root, named.selection.endings, named.real_paths) for root in roots}
