"""Where a new import line goes: into the block of imports it belongs to, in the order of that block."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from flax2optax.codemod.rewrite.lines import Lines
from flax2optax.codemod.rewrite.orphans import Import, Orphans


@dataclass(slots=True)
class _Entry:
    """One import of a block. `key` sorts it; a relative one has no root and is never followed by ours."""

    key: str
    relative: bool
    begin: int
    below: int


@dataclass(slots=True)
class _Block:
    """Imports on lines that follow each other."""

    entries: list[_Entry] = field(default_factory=list)

    def affinity(self, key: str) -> int:
        roots = {one.key.split(".")[0] for one in self.entries if not one.relative}
        return 4 * (key.split(".")[0] in roots) + 2 * ("flax" in roots) + ("jax" in roots)

    def insert(self, key: str) -> int:
        """Put a line behind the last one that sorts before it, and return where that is."""
        behind = [i for i, one in enumerate(self.entries) if one.key <= key and not one.relative]
        index = behind[-1] + 1 if behind else 0
        at = self.entries[index - 1].below if behind else self.entries[0].begin
        self.entries.insert(index, _Entry(key, False, at, at))
        return at


def places_for(
    tree: ast.Module, source: Lines, orphans: Orphans, lines: list[str]
) -> list[tuple[int, str]]:
    """Return the byte at which each line goes, without the lines that are there already."""
    top = [one for one in tree.body if isinstance(one, Import) and not orphans.is_dead(one)]
    present = {source.text(one) for one in top}
    blocks = _blocks(tree, source, orphans)
    found = []
    for line in lines:
        if line in present:
            continue
        key = _key_of_line(line)
        if not blocks:
            at = _first(tree, source, orphans)
            blocks.append(_Block([_Entry(key, False, at, at)]))
        else:
            at = max(blocks, key=lambda block: block.affinity(key)).insert(key)
        found.append((at, line))
    return _in_order(found)


def below_imports(tree: ast.Module, source: Lines, orphans: Orphans, names: set[str]) -> int:
    """Return where the code begins: below the imports above the first function or class, or use of these names."""
    position = _top(tree, source)
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            break
        if any(isinstance(one, ast.Name) and one.id in names for one in ast.walk(statement)):
            break
        if _imports(statement) and not orphans.is_dead(statement):
            position = source.below(statement)
    return position


def _in_order(found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Lines for the same byte are sorted, whatever order they were asked for in."""
    return sorted(found, key=lambda one: (one[0], _key_of_line(one[1])))


def _imports(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Try):
        return any(isinstance(one, Import) for one in statement.body)
    return isinstance(statement, Import)


def _blocks(tree: ast.Module, source: Lines, orphans: Orphans) -> list[_Block]:
    blocks: list[_Block] = []
    end = -2
    for statement in tree.body:
        if not isinstance(statement, Import) or _is_future(statement):
            continue
        if statement.lineno != end + 1 or not blocks:
            blocks.append(_Block())
        end = statement.end_lineno or statement.lineno
        if not orphans.is_dead(statement):
            blocks[-1].entries.append(_entry(statement, source, orphans))
    return [block for block in blocks if block.entries]


def _entry(statement: ast.Import | ast.ImportFrom, source: Lines, orphans: Orphans) -> _Entry:
    first = orphans.names(statement)[0]
    relative = isinstance(statement, ast.ImportFrom) and bool(statement.level)
    key = f"{statement.module}.{first}" if isinstance(statement, ast.ImportFrom) else first
    return _Entry(key.lower(), relative, source.line_start(statement), source.below(statement))


def _key_of_line(line: str) -> str:
    words = line.split()
    return words[1].lower() if words[0] == "import" else f"{words[1]}.{words[3]}".lower()


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _first(tree: ast.Module, source: Lines, orphans: Orphans) -> int:
    """Where the first import that goes stood; else at the top."""
    gone = (one for one in tree.body if orphans.is_dead(one))
    return next((source.line_start(one) for one in gone), _top(tree, source))


def _top(tree: ast.Module, source: Lines) -> int:
    """Below the docstring and `__future__`, where a file without imports takes its first one."""
    position = 0
    for statement in tree.body:
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not docstring and not _is_future(statement):
            break
        position = source.below(statement)
    return position
