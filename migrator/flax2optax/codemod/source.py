"""A file as read: its bytes, its Python text, and the way back from new text to new bytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Encode(Protocol):
    """Turns new Python text into the new bytes of the file it came from."""

    def __call__(self, text: str) -> bytes:
        """Return the bytes of the whole file."""
        ...


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One readable file. `display` is the path as the user gave it; `text` keeps every line end of `data`.

    For a notebook `text` is all code cells as one module, magics and shell lines masked.
    `writable` is False for files that were only read for context. `root` is the project's top folder.
    """

    path: Path
    display: str
    data: bytes
    text: str
    encode: Encode
    root: Path
    writable: bool = True
