"""Files that must be read because they import a module through which an optimizer passes."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable, Iterator

from flax2optax.codemod.index.program import Program
from flax2optax.codemod.index.tree import Alias, Function, Import, NodeId
from flax2optax.codemod.infer.carriers import Carriers
from flax2optax.codemod.infer.flows import Union
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import ancestors
from flax2optax.codemod.infer.values import (
    NOTHING,
    ClassRef,
    Container,
    External,
    FunctionRef,
    OptimizerClass,
    Value,
    join,
    leaves,
)

_IMPORT = re.compile(
    r"(?:^|[;:])[ \t]*(?:from[ \t]+(?P<dots>\.*)[ \t]*(?P<module>[\w.]*)[ \t]+import"
    r"[ \t]*(?P<names>\([^)]*\)|(?:\\\n|[^\n#;])+)|import[ \t]+(?P<plain>(?:\\\n|[^\n#;])+))",
    re.MULTILINE,
)

_FIELDS = frozenset({"target", "apply_gradient"})
_READS = re.compile(
    r"\b(?:[a-z0-9]+_)*opt(?:im(?:izer|iser)?)?\d*\.(?:target\b|apply_gradient\(|replace\(\s*target=)",
    re.IGNORECASE,
)
_DYNAMIC = re.compile(r"""import_module\(\s*["']([\w.]+)["']""")


def touched(m: Machine, carriers: Carriers) -> dict[str, set[str]]:
    """By path, the functions, classes and variables through which an optimizer passes."""
    found: dict[str, set[str]] = {}
    functions: set[NodeId] = set()
    for frame in m.frames:
        path = frame.module.path
        if frame.function is None:
            names = [
                n for n, v in frame.variables.items() if carriers.hold(v) or _is_of_the_library(v)
            ]
            found.setdefault(path, set()).update(names)
        elif any(map(carriers.hold, (frame.returned, *frame.parameters.values()))):
            found.setdefault(path, set()).add(_outermost(frame.function))
            functions.add(frame.function.id)
            if frame.function.owner is not None:
                functions.add(frame.function.owner.id)
    for class_ in m.classes.values():
        for owner in (("fields", ancestors(m, class_.id)[-1]), ("class", class_.id)):
            if carriers.hold(m.wholes.get(owner, NOTHING)):
                found.setdefault(class_.module.path, set()).add(class_.name)
                functions.add(class_.id)
    for frame in m.frames:  # `create = partial(make, 0.1)` is a function that makes one, too
        if frame.function is None:
            names = [n for n, v in frame.variables.items() if functions & _named_by(m, frame, v)]
            found.setdefault(frame.module.path, set()).update(names)
    return _and_reexporters(m.program, {path: names for path, names in found.items() if names})


def readers(program: Program, opened: set[str]) -> list[str]:
    """Files that read a field of what is called an optimizer, and have some file of the project in common with these."""
    reading = [
        path
        for path in sorted(program.paths - opened)
        if _FIELDS & program.words(path) and _READS.search(program.read(path) or "")
    ]
    near = _imported(program, opened) if reading else set()
    return [path for path in reading if not near.isdisjoint(_imported_by(program, path))]


def _imported_by(program: Program, path: str) -> frozenset[str]:
    """A file with what it imports, and what that imports; looked up once."""
    if path not in program.closures:
        program.closures[path] = frozenset(_imported(program, {path}))
    return program.closures[path]


def _imported(program: Program, paths: set[str]) -> set[str]:
    """Files with what they import, and what that imports."""
    found, waiting = set(paths), sorted(paths)
    while waiting:
        path = waiting.pop()
        for statement in _statements(program, path):
            more = program.targets(path, statement) & program.paths - found
            found |= more
            waiting.extend(sorted(more))
    return found


def nearest(m: Machine, path: str, classes: Iterable[NodeId]) -> list[NodeId]:
    """Of some classes, those that a file imports, itself or through others; else those in the nearest folder."""
    places = {class_id: m.classes[class_id].module.path for class_id in classes}
    if len(places) < 2:
        return list(places)
    imported = _imported_by(m.program, path)
    found = [class_id for class_id, place in places.items() if place in imported]
    if found:
        return found
    common = {c: len(os.path.commonpath((path, place))) for c, place in places.items()}
    most = max(common.values())
    return [class_id for class_id, length in common.items() if length == most]


def overridden(m: Machine, carriers: Carriers) -> tuple[dict[str, set[str]], frozenset[str]]:
    """By path, the classes that inherit a method through which an optimizer passes; and the names of such methods."""
    owners: dict[NodeId, set[str]] = {}
    for frame in m.frames:
        function = frame.function
        if function is not None and function.owner is not None and function.id not in m.imagined:
            given = (frame.returned, *frame.parameters.values())
            if any(map(carriers.hold, given)):
                owners.setdefault(function.owner.id, set()).add(function.name)
    found: dict[str, set[str]] = {}
    methods: set[str] = set()
    for class_ in m.classes.values() if owners else ():
        inherited = [owners[one] for one in ancestors(m, class_.id)[1:] if one in owners]
        if inherited:
            found.setdefault(class_.module.path, set()).add(class_.name)
            methods.update(*inherited)
    return found, frozenset(name for name in methods if not name.startswith("__"))


def _named_by(m: Machine, frame: Frame, value: Value) -> set[NodeId]:
    """The functions and classes that a name leads to, or that a table has."""
    tables = (m.load_all(frame, a.site) for a in value if isinstance(a, Container))
    every = join(value, *tables)
    functions = {a.function for a in leaves(every) if isinstance(a, FunctionRef)}
    return functions | {a.class_ for a in every if isinstance(a, ClassRef)}


def _is_of_the_library(value: Value) -> bool:
    """Whether a name is flax.optim, or a class of it."""
    return any(
        (isinstance(a, External) and a.name.startswith("flax.optim"))
        or (isinstance(a, OptimizerClass) and not a.class_)
        for a in value
    )


def _outermost(function: Function) -> str:
    """The name by which another module reaches a function: its class's, or that of the function around it."""
    while function.parent is not None and function.owner is None:
        function = function.parent
    return function.owner.name if function.owner is not None else function.name


def _and_reexporters(program: Program, found: dict[str, set[str]]) -> dict[str, set[str]]:
    """Packages that import from these modules hand their names on, and so do other files with all they import."""
    grown = True
    while grown:
        grown = False
        stems = {_stem(path) for path in found}
        for path in program.paths:
            if stems & program.words(path) or path.endswith("/__init__.py"):
                names = _handed_on(program, path, found)
                if not names <= found.get(path, set()):
                    found.setdefault(path, set()).update(names)
                    grown = True
    return found


def _handed_on(program: Program, path: str, found: dict[str, set[str]]) -> set[str]:
    """The names that other files may take from one that imports them: all of a package, `*`, and whole modules."""
    names: set[str] = set()
    for statement in _statements(program, path):
        if path.endswith("/__init__.py") or not statement.is_from or not statement.aliases:
            for target in program.targets(path, statement) & found.keys() - {path}:
                names |= found[target]
    return names


def importers(
    program: Program,
    of: dict[str, set[str]],
    opened: set[str],
    having: frozenset[str] | None = None,
) -> list[str]:
    """Files of the project, not opened yet, that import one of these modules, use one of these names, and have a word."""
    waiting = sorted(program.paths - opened)
    return [
        path
        for path in waiting
        if (having is None or having & program.words(path)) and _imports(program, path, of)
    ]


def _imports(program: Program, path: str, of: dict[str, set[str]]) -> bool:
    words = program.words(path)
    near = {
        target
        for target, names in of.items()
        if names & words and (_stem(target) in words or _is_around(target, path))
    }
    return bool(near) and any(near & program.targets(path, s) for s in _statements(program, path))


def _is_around(package: str, path: str) -> bool:
    """Whether a file is in a package, which it may import from by dots alone."""
    return package.endswith("/__init__.py") and path.startswith(package.removesuffix("__init__.py"))


def connected(program: Program) -> dict[str, int]:
    """Each file of the project, read or not, with a number that it shares with what it imports, and with whom imports it."""
    number = {path: index for index, path in enumerate(sorted(program.paths))}
    union = Union()
    for path, index in number.items():
        for statement in _statements(program, path):
            targets = program.targets(path, statement)
            union.join((index, *(number[one] for one in targets if one in number)))
    return {path: union.find(index) for path, index in number.items()}


def _stem(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").rsplit("/", 1)[-1]


def _statements(program: Program, path: str) -> tuple[Import, ...]:
    """The import statements of a file, looked up once."""
    if path not in program.statements:
        program.statements[path] = tuple(_found_in(program.read(path) or ""))
    return program.statements[path]


def _found_in(text: str) -> Iterator[Import]:
    """Import statements by regular expression: enough to know whom a file imports."""
    for found in _DYNAMIC.finditer(text):
        yield Import(0, 0, (Alias(0, found[1], None),), None, 0, False)
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
