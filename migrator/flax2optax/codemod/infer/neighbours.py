"""Files that must be read because they import a module through which an optimizer passes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flax2optax.codemod.index.program import Program
from flax2optax.codemod.index.tree import Alias, Import
from flax2optax.codemod.infer.machine import Machine
from flax2optax.codemod.infer.objects import ancestors, carries

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<dots>\.*)(?P<module>[\w.]*)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n#;]+)"
    r"|import[ \t]+(?P<plain>[^\n#;]+))",
    re.MULTILINE,
)


def touched(m: Machine) -> set[str]:
    """Modules with a function or class through which an optimizer passes, by path."""
    found: set[str] = set()
    for frame in m.frames:
        values = (frame.returned, *frame.parameters.values())
        if frame.function is None:
            values = tuple(frame.variables.values())
        if frame.module.path not in found and any(carries(m, frame, v, instances=True) for v in values):
            found.add(frame.module.path)
    for class_ in m.classes.values():
        if class_.module.path not in found:
            for owner in (("fields", ancestors(m, class_.id)[-1]), ("class", class_.id)):
                if carries(m, m.frames[0], m.load_all(m.frames[0], owner), instances=True):
                    found.add(class_.module.path)
    return _and_reexporters(m.program, found)


def _and_reexporters(program: Program, found: set[str]) -> set[str]:
    """Packages that import from these modules hand their names on."""
    packages = [m for m in program.modules.values() if m.path.endswith("__init__.py")]
    grown = True
    while grown:
        more = {
            package.path
            for package in packages
            if package.path not in found and any(found & program.targets(package.path, s) for s in package.imports)
        }
        found |= more
        grown = bool(more)
    return found


def importers(program: Program, of: set[str], opened: set[str]) -> list[str]:
    """Files of the project, not opened yet, that import one of these modules."""
    waiting = sorted(program.paths - opened)
    stems = {_stem(path) for path in of}
    return [path for path in waiting if _imports(program, path, of, stems)]


def _stem(path: str) -> str:
    parts = path.removesuffix(".py").removesuffix("/__init__").rsplit("/", 1)
    return parts[-1]


def _imports(program: Program, path: str, of: set[str], stems: set[str]) -> bool:
    text = program.read(path)
    if text is None or not any(stem in text for stem in stems):
        return False
    return any(of & program.targets(path, statement) for statement in _statements(text))


def _statements(text: str) -> Iterator[Import]:
    """Import statements by regular expression: enough to know whom a file imports."""
    for found in _IMPORT.finditer(text):
        if found["plain"]:
            yield Import(0, 0, tuple(_aliases(found["plain"])), None, 0, False)
        else:
            names = tuple(_aliases(found["names"].strip("()")))
            yield Import(0, 0, names, found["module"] or None, len(found["dots"]), True)


def _aliases(text: str) -> Iterable[Alias]:
    for part in re.sub(r"#[^\n]*|\\", "", text).split(","):
        words = part.split()
        if words and words[0] != "*":
            yield Alias(0, words[0], words[2] if len(words) > 2 else None)
