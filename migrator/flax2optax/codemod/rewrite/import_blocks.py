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
    plain: bool  # `import a`, not `from a import b`
    relative: bool
    begin: int
    below: int
    line: str = ""  # of one that is new


@dataclass(slots=True)
class _Block:
    """Imports on lines that follow each other."""

    entries: list[_Entry] = field(default_factory=list)

    def insert(self, line: str) -> None:
        """Put a line into the run it belongs to, behind the last one that sorts before it."""
        key, plain = _key_of_line(line), line.startswith("import ")
        run = self._run(key, plain)
        above = next((one for one in reversed(run) if one.key <= key), None)
        first = (run or self.entries)[0]
        at = first.begin if above is None else above.below
        index = self.entries.index(first) if above is None else self.entries.index(above) + 1
        self.entries.insert(index, _Entry(key, plain, False, at, at, line))

    def _run(self, key: str, plain: bool) -> list[_Entry]:
        """The sorted imports next to each other that this one is most like, and of its kind where kinds are apart."""
        runs = self._runs()
        alike = [run for run in runs if affinity(run, key) and run[0].plain is plain]
        if alike and all(len({one.plain for one in run}) == 1 for run in runs):
            runs = alike
        return max(runs, key=lambda run: affinity(run, key), default=[])

    def _runs(self) -> list[list[_Entry]]:
        runs: list[list[_Entry]] = []
        for one in self.entries:
            if one.relative:
                continue
            if not runs or one.key < runs[-1][-1].key:
                runs.append([])
            runs[-1].append(one)
        return runs


def affinity(entries: list[_Entry], key: str) -> int:
    """How much an import is among its like."""
    roots = {one.key.split(".")[0] for one in entries if not one.relative}
    return 4 * (key.split(".")[0] in roots) + 2 * ("flax" in roots) + ("jax" in roots)


def places_for(
    tree: ast.Module, source: Lines, orphans: Orphans, lines: list[str]
) -> list[tuple[int, str]]:
    """Return the byte at which each line goes, without the lines that are there already."""
    top = [one for one in tree.body if isinstance(one, Import) and not orphans.is_dead(one)]
    present = {source.text(one) for one in top}
    blocks = _blocks(tree, source, orphans)
    for line in lines:
        if line in present:
            continue
        key = _key_of_line(line)
        if not blocks:
            at = _top(tree, source)
            blocks.append(_Block([_Entry(key, line.startswith("import "), False, at, at, line)]))
        else:
            max(blocks, key=lambda block: affinity(block.entries, key)).insert(line)
    return [(one.begin, one.line) for block in blocks for one in block.entries if one.line]


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
        blocks[-1].entries.append(_entry(statement, source, orphans))
    return blocks


def _entry(statement: ast.Import | ast.ImportFrom, source: Lines, orphans: Orphans) -> _Entry:
    first = next(iter(orphans.names(statement)), statement.names[0].name)
    relative = isinstance(statement, ast.ImportFrom) and bool(statement.level)
    key = f"{statement.module}.{first}" if isinstance(statement, ast.ImportFrom) else first
    begin, below = source.line_start(statement), source.below(statement)
    return _Entry(key.lower(), isinstance(statement, ast.Import), relative, begin, below)


def _key_of_line(line: str) -> str:
    words = line.split()
    return words[1].lower() if words[0] == "import" else f"{words[1]}.{words[3]}".lower()


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _top(tree: ast.Module, source: Lines) -> int:
    """Below the docstring and `__future__`, where a file without imports takes its first one."""
    position = 0
    for statement in tree.body:
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not docstring and not _is_future(statement):
            break
        position = source.below(statement)
    return position
