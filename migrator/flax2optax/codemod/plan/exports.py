"""Which variables of a file other files may name; those keep their names."""

from __future__ import annotations

import os
import re

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.program import Program


def named_elsewhere(program: Program, module: t.Module, name: str) -> bool:
    """Whether another file of the project, read or not, may import a variable or read it as an attribute.

    Judged by words, so that files nobody read count as well: one that has the name and the file's own name,
    or one that imports everything of it.
    """
    folder, file = os.path.split(module.path)
    stem = os.path.basename(folder) if file == "__init__.py" else os.path.splitext(file)[0]
    stars = re.compile(rf"\bfrom\s+[\w.]*(?:\b{re.escape(stem)}|\.)\s+import\s*\*")
    for path in program.paths:
        words = program.words(path) if path != module.path else frozenset[str]()
        if stem in words and (name in words or stars.search(program.read(path) or "")):
            return True
    return False
