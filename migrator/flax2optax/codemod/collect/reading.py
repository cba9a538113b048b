"""One path to one `SourceFile`, or to the diagnostic that says why not."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flax2optax.codemod.collect.decode import UndecodableError, decode
from flax2optax.codemod.collect.notebook import NotebookEncode, NotebookError, decode_notebook
from flax2optax.codemod.collect.notebook_notes import notebook_notes
from flax2optax.codemod.diagnostic import Diagnostic, Location
from flax2optax.codemod.source import SourceFile


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands: its real path, the path to show, its project's top folder, and whether it was named."""

    path: Path
    display: str
    root: Path
    writable: bool = True


def read_source(place: Place) -> SourceFile | Diagnostic:
    """Read and decode one file."""
    try:
        data = place.path.read_bytes()
    except OSError as problem:
        return unreadable(place.display, problem)
    return source_of(place, data)


def source_of(place: Place, data: bytes) -> SourceFile | Diagnostic:
    """Decode the bytes of one file. A notebook in another language is a file without Python."""
    notebook = place.display.endswith(".ipynb")
    try:
        found = decode_notebook(data) if notebook else decode(data)
    except NotebookError as problem:
        return input_error("FXO003", place.display, f"The notebook cannot be read: {problem}")
    except (UndecodableError, UnicodeDecodeError) as problem:
        return input_error("FXO002", place.display, f"The file cannot be decoded: {problem}")
    text, encode = found or ("", lambda _: data)
    return SourceFile(place.path, place.display, data, text, encode, place.root, place.writable)


def notes(source: SourceFile) -> Iterator[Diagnostic]:
    """Yield what the magics and shell lines of a notebook tell."""
    if isinstance(source.encode, NotebookEncode):
        yield from notebook_notes(source.display, source.encode)


def unreadable(display: str, problem: OSError) -> Diagnostic:
    """Return the finding for a file or a folder that cannot be opened."""
    reason = problem.strerror or str(problem)
    return input_error("FXO001", display, f"The file cannot be read: {reason}")


def input_error(code: str, display: str, message: str) -> Diagnostic:
    """Return a finding about a whole file."""
    return Diagnostic(code, message, Location(os.fspath(display), 1, 1, 1, 1))
