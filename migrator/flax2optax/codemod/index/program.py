"""The program: its files, which module name means which file, and each file's tree, parsed when first asked for."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import libcst as cst

from flax2optax.codemod.index.lower import lower
from flax2optax.codemod.index.tree import Class, Import, Module

_WORD = re.compile(r"[^\W\d]\w*")
STRIDE = 10_000_000  # ids of one module
KEPT = 64  # trees that are kept, for the files that turn out to be reported or changed


class ParseFailure(Exception):
    """A file that Python's grammar does not accept."""

    def __init__(self, path: str, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.path, self.line, self.column = path, line, column


def parse(text: str, path: str) -> cst.Module:
    """Parse one file, or raise `ParseFailure`."""
    try:
        return cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise ParseFailure(path, error.raw_line, error.raw_column + 1, error.message) from error
    except (RecursionError, ValueError) as error:
        raise ParseFailure(path, 1, 1, str(error) or type(error).__name__) from error


@dataclass(frozen=True, slots=True)
class Parsed:
    """One file as LibCST has it and as plain data; `nodes` are numbered from the base of `module`."""

    tree: cst.Module
    module: Module
    nodes: list[cst.CSTNode]


def parse_numbered(text: str, path: str, base: int) -> Parsed:
    """Parse one file and number its nodes, or raise `ParseFailure`."""
    tree = parse(text, path)
    return Parsed(tree, *lower(tree, path, base))


@dataclass
class Program:
    """Files by path (normal, '/'-separated); `read` gives a file's text, `candidates` are the ones to migrate."""

    candidates: tuple[str, ...]
    paths: frozenset[str]
    read: Callable[[str], str | None]
    root: str
    modules: dict[str, Module] = field(default_factory=dict)
    by_number: dict[int, Module] = field(default_factory=dict)
    absent_modules: dict[str, Module] = field(default_factory=dict)
    absent_classes: dict[tuple[str, str], Class] = field(default_factory=dict)
    failures: dict[str, ParseFailure] = field(default_factory=dict)
    # By file, what its text imports; and all that it imports, itself or through others.
    statements: dict[str, tuple[Import, ...]] = field(default_factory=dict)
    closures: dict[str, frozenset[str]] = field(default_factory=dict)
    _parsed: dict[str, Parsed] = field(default_factory=dict)
    _packages: dict[str, bool] = field(default_factory=dict)
    _contains: dict[str, bool] = field(default_factory=dict)
    _words: dict[str, frozenset[str]] = field(default_factory=dict)

    def module(self, path: str) -> Module:
        """The tree of a file; an empty one where it cannot be read or parsed (see `failures`)."""
        if path not in self.modules:
            base = STRIDE * (len(self.by_number) + 1)
            text = self.read(path)
            module = Module(path, base)
            try:
                module = self._parse(text or "", path, base).module
            except ParseFailure as failure:
                self.failures[path] = failure
            self.modules[path] = module
            self.by_number[base // STRIDE] = module
        return self.modules[path]

    def parsed(self, path: str) -> Parsed:
        """Return a loaded file with its LibCST tree, which costs a parse if it was not kept."""
        if path not in self._parsed:
            return self._parse(self.read(path) or "", path, self.modules[path].base)
        return self._parsed[path]

    def _parse(self, text: str, path: str, base: int) -> Parsed:
        parsed = parse_numbered(text, path, base)
        self._parsed[path] = parsed
        if len(self._parsed) > KEPT:
            del self._parsed[next(iter(self._parsed))]
        return parsed

    def contains(self, text: str) -> bool:
        """Whether some file of the project has this text; the files are read once for each."""
        if text not in self._contains:
            found = (self.read(path) for path in self.paths)
            self._contains[text] = any(one is not None and text in one for one in found)
        return self._contains[text]

    def words(self, path: str) -> frozenset[str]:
        """Every word of a file, which is looked through once."""
        if path not in self._words:
            self._words[path] = frozenset(_WORD.findall(self.read(path) or ""))
        return self._words[path]

    def owner(self, node: int) -> Module:
        """The module a node belongs to."""
        return self.by_number[node // STRIDE]

    def resolve(self, path: str, statement: Import, name: str | None = None) -> str | None:
        """The file that `import name` or `from module import` in `path` means; None for a library's."""
        dotted = name if name is not None else (statement.module or "")
        if statement.level:
            return self.find(_relative_to(path, statement), dotted)
        asked = tuple(alias.name for alias in statement.aliases) if statement.is_from else ()
        return self.absolute(path, dotted, asked)

    def absolute(self, path: str, dotted: str, asked: tuple[str, ...] = ()) -> str | None:
        """Search the file's own folder and each folder above it up to the root, then `src`-like folders.

        Of several files, it is the first one that has some name that is asked for.
        """
        first, *rest = dotted.split(".")
        if first in NEVER_OURS:
            return None
        ways = self._upwards(path, dotted)
        found = next(ways, None)
        if (
            found is None and "_" in first
        ):  # a repository's folder `my-project`, imported by its name
            ways = self._upwards(path, ".".join((first.replace("_", "-"), *rest)))
            found = next(ways, None)
        if found is None or found.endswith("/") or not asked:  # a mere folder is asked for nothing
            return found
        return next((one for one in (found, *ways) if self._has(one, asked)), found)

    def _upwards(self, path: str, dotted: str) -> Iterator[str]:
        folder = os.path.dirname(path)
        while True:
            for place in (folder, os.path.join(folder, "src")):
                found = self.find(place, dotted)
                if found is not None and found != path:
                    yield found
            above = os.path.dirname(folder)
            if folder == self.root or not folder.startswith(self.root) or above == folder:
                return
            folder = above

    def _has(self, file: str, names: tuple[str, ...]) -> bool:
        """Whether a module may define one of these names, or a package has a module of that name."""
        if not file.endswith("/") and not self.words(file).isdisjoint(names):
            return True
        folder = os.path.dirname(file) if file.endswith(("/", "/__init__.py")) else None
        return folder is not None and any(self.find(folder, one) for one in names)

    def find(self, folder: str, dotted: str) -> str | None:
        """The file of `dotted` below `folder`: a module, a package, or (as '…/') a folder without `__init__`."""
        base = os.path.join(folder, *dotted.split(".")) if dotted else folder
        for candidate in (os.path.join(base, "__init__.py"), base + ".py"):
            if candidate in self.paths:
                return candidate
        return base + "/" if base in self._folders else None

    def absent(self, path: str, statement: Import, name: str | None = None) -> str | None:
        """Where a file of the program itself would be that an import means and that is not there (without its suffix)."""
        found = self.resolve(path, statement, name)
        if found is not None and not found.endswith("/"):
            return None
        dotted = name if name is not None else (statement.module or "")
        if statement.level:
            return os.path.join(_relative_to(path, statement), *dotted.split(".")).rstrip("/")
        first, *rest = dotted.split(".")
        package = self.absolute(path, first)
        if package is None or not self._is_package(package, first):
            return None
        place = found or os.path.join(package.removesuffix("__init__.py"), *rest)
        return place.rstrip("/")

    def _is_package(self, package: str, name: str) -> bool:
        """Whether a folder is a package of the program: a mere folder may only be called like a library."""
        if not package.endswith("/"):
            return package.endswith("/__init__.py")
        if package not in self._packages:
            importing = re.compile(
                rf"^[ \t]*(?:from|import)[ \t]+({re.escape(name)}(?:\.\w+)+)", re.M
            )
            self._packages[package] = any(
                (self.absolute(path, dotted) or "").startswith(package)
                and not (self.absolute(path, dotted) or "").endswith("/")
                for path in sorted(self.paths)
                if name in self.words(path)
                for dotted in importing.findall(self.read(path) or "")
            )
        return self._packages[package]

    def absent_class(self, path: str, name: str) -> Class:
        """A class of a file that is not there: it has a number, and nothing else is known of it."""
        if path not in self.absent_modules:
            number = len(self.by_number) + 1
            self.absent_modules[path] = self.by_number[number] = Module(path, STRIDE * number)
        module = self.absent_modules[path]
        if (path, name) not in self.absent_classes:
            class_ = Class(module.base + 1 + len(module.classes), name, (), (), module, None, None)
            module.classes.append(class_)
            self.absent_classes[path, name] = class_
        return self.absent_classes[path, name]

    @property
    def _folders(self) -> frozenset[str]:
        if not hasattr(self, "_folder_cache"):
            self._folder_cache = frozenset(_folders(self.paths))
        return self._folder_cache

    def importers(self, path: str) -> Iterable[str]:
        """Loaded modules that import `path`."""
        for module in list(self.modules.values()):
            for statement in module.imports:
                if path in self.targets(module.path, statement):
                    yield module.path

    def targets(self, path: str, statement: Import) -> set[str]:
        """The project files one import statement names."""
        found: set[str | None] = set()
        if statement.is_from:
            base = self.resolve(path, statement)
            found.add(base if base is not None else self._known_absent(path, statement))
            for alias in statement.aliases:
                if base is not None and base.endswith(("/", "__init__.py")):
                    folder = base.rstrip("/") if base.endswith("/") else os.path.dirname(base)
                    found.add(self.find(folder, alias.name))
        else:
            names = [alias.name for alias in statement.aliases]
            found.update(self.resolve(path, statement, one) for one in names)
            found.update(self._known_absent(path, statement, one) for one in names)
        return {f for f in found if f is not None}

    def _known_absent(self, path: str, statement: Import, name: str | None = None) -> str | None:
        place = self.absent(path, statement, name) if self.absent_modules else None
        return place if place in self.absent_modules else None


def _relative_to(path: str, statement: Import) -> str:
    """The folder that the dots of a relative import mean."""
    folder = os.path.dirname(path)
    for _ in range(statement.level - 1):
        folder = os.path.dirname(folder)
    return folder


NEVER_OURS = frozenset(
    {"flax", "jax", "optax", "numpy", "functools", "typing", "dataclasses", "collections"}
)


def _folders(paths: Iterable[str]) -> Iterable[str]:
    seen: set[str] = set()
    for path in paths:
        folder = os.path.dirname(path)
        while folder and folder not in seen:
            seen.add(folder)
            yield folder
            folder = os.path.dirname(folder)
