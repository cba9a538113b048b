"""Where the nodes of a program stand, and what comments say there; positions cost something and are computed once."""

from __future__ import annotations

from flax2optax.codemod.collect.program_files import ProgramFiles
from flax2optax.codemod.diagnostic import Location
from flax2optax.codemod.index.comments import Remarks, remarks_of
from flax2optax.codemod.index.program import Program
from flax2optax.codemod.index.spans import Spans
from flax2optax.codemod.index.tree import NodeId


class Places:
    """Node numbers to source files, spans and locations."""

    def __init__(self, program: Program, files: ProgramFiles) -> None:
        self.program = program
        self.files = files
        self._spans: dict[str, Spans] = {}
        self._remarks: dict[str, Remarks] = {}

    def path(self, node: NodeId) -> str:
        """Return the file a node belongs to."""
        return self.program.owner(node).path

    def spans(self, path: str) -> Spans:
        """Return the spans of a file."""
        if path not in self._spans:
            source = self.files[path]
            self._spans[path] = Spans(source.text, source.display, self.program.parsed(path))
        return self._spans[path]

    def location(self, node: NodeId) -> Location:
        """Return the lines and columns of a node, in the file as the user named it."""
        return self.spans(self.path(node)).location(node)

    def remarks(self, path: str) -> Remarks:
        """Return what the comments of a file say to us."""
        if path not in self._remarks:
            self._remarks[path] = remarks_of(self.files[path].text)
        return self._remarks[path]

    def answered(self, code: str, node: NodeId) -> bool:
        """Return whether a comment answers a finding."""
        return self.remarks(self.path(node)).answered(code, lambda: self.location(node).line)
