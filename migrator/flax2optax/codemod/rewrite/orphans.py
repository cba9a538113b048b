"""Imports that lost their last use, or whose module is gone, and how they leave."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from flax2optax.codemod.rewrite.lines import Lines, Patch

Import = ast.Import | ast.ImportFrom

_WORDS = re.compile(r"\b(\w+)(?=\.\w|\]|$|,)")
_COMMENT = re.compile(rb"#[^\r\n]*")
_PRAGMA = re.compile(rb"#\s*(noqa|pylint|type:|pytype|isort|pyright|copybara|g-)")


class Orphans:
    """The aliases of every import statement that go. `gone` are dotted modules whose imports cannot stay."""

    def __init__(self, tree: ast.Module, original: ast.Module, gone: tuple[str, ...]) -> None:
        nodes = list(ast.walk(tree))
        self._before, self._after = _used_names(ast.walk(original)), _used_names(nodes)
        self._gone = gone
        imports = [node for node in nodes if isinstance(node, Import)]
        self._dead = {node: [a for a in node.names if self._goes(node, a)] for node in imports}
        self._top = tree.body
        self._last = set(self._alone_in_their_block(nodes))

    def names(self, statement: Import) -> list[str]:
        """Return the first parts of what a statement still imports."""
        dead = self._dead[statement]
        kept = [alias.name for alias in statement.names if alias not in dead]
        return kept + sorted(self._roots(statement))

    def is_dead(self, statement: ast.stmt) -> bool:
        """Return whether nothing of a statement is left."""
        return isinstance(statement, Import) and not self.names(statement)

    def removals(self, source: Lines) -> Iterator[Patch]:
        """Yield what takes the orphans out; comments stay, but for those that speak to a linter."""
        for statement, dead in self._dead.items():
            if dead:
                yield self._removal(source, statement, dead)

    def _goes(self, statement: Import, alias: ast.alias) -> bool:
        if isinstance(statement, ast.ImportFrom) and statement.level:
            return False
        full = _full_name(statement, alias)
        if any(full == one or full.startswith(one + ".") for one in self._gone):
            return True
        name = alias.asname or alias.name.split(".")[0]
        return name in self._before and name not in self._after

    def _roots(self, statement: Import) -> set[str]:
        """`import flax.optim` also gives `flax`, which may still be used."""
        if isinstance(statement, ast.ImportFrom):
            return set()
        dead = [a.name.split(".")[0] for a in self._dead[statement] if a.asname is None]
        return {
            root
            for root in dead
            if root in self._after and not self._is_imported_beside(statement, root)
        }

    def _is_imported_beside(self, statement: ast.Import, root: str) -> bool:
        """Whether `import flax` stands above, or further down in the same run of imports."""
        above = True
        for other in self._top:
            if other is statement:
                above = False
            elif isinstance(other, ast.Import):
                stays = [a for a in other.names if above or a not in self._dead[other]]
                if any(a.asname is None and a.name.split(".")[0] == root for a in stays):
                    return True
            elif not above and not isinstance(other, ast.ImportFrom):
                break
        return False

    def _removal(self, source: Lines, statement: Import, dead: list[ast.alias]) -> Patch:
        start, end = source.start(statement), source.end(statement)
        if roots := self._roots(statement):
            kept = [source.text(alias) for alias in statement.names if alias not in dead]
            return Patch(start, end, "import " + ", ".join([*kept, *sorted(roots)]))
        if len(dead) < len(statement.names):
            return _thinned(source, statement, dead)
        return self._whole(source, statement)

    def _whole(self, source: Lines, statement: Import) -> Patch:
        start, end = source.start(statement), source.end(statement)
        above = source.data[source.line_start(statement) : start]
        rest = source.rest(statement)
        behind = rest.strip()
        if behind and not behind.startswith(b"#"):  # `import a; import b`
            return Patch(start, end + len(rest) - len(rest.lstrip(b"; ")), "")
        if above.strip() or statement in self._last:
            return Patch(start, end, "pass")
        comments = _comments(source.data[start : end + len(rest)])
        if comments:
            return Patch(start, end + len(rest), _stacked(comments, above, source))
        return Patch(source.line_start(statement), source.below(statement), "")

    def _alone_in_their_block(self, nodes: Iterable[ast.AST]) -> Iterator[ast.stmt]:
        """Statements that a block would be empty without: of those that all go, the last one."""
        for node in nodes:
            if not isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
                continue
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list) and block and all(self.is_dead(one) for one in block):
                    yield block[-1]


def _used_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are read, those in string annotations too."""
    used: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Constant) and _may_be_annotation(node.value):
            used.update(_WORDS.findall(str(node.value)))
    return used


def _may_be_annotation(value: object) -> bool:
    return isinstance(value, str) and len(value) < 200


def _full_name(statement: Import, alias: ast.alias) -> str:
    if isinstance(statement, ast.ImportFrom):
        return f"{statement.module}.{alias.name}"
    return alias.name


def _thinned(source: Lines, statement: Import, dead: list[ast.alias]) -> Patch:
    """Cut single aliases, with their commas, out of `from x import a, b, c`."""
    start, end = source.start(statement), source.end(statement)
    cuts = list(_cuts(source, statement.names, dead))
    pieces, position = [], start
    for cut, stop in cuts:
        pieces.append(source.data[position:cut])
        position = stop
    pieces.append(source.data[position:end])
    above = source.data[source.line_start(statement) : start]
    comments = [one for cut, stop in cuts for one in _comments(source.data[cut:stop])]
    if comments and not above.strip():
        pieces.insert(0, (_stacked(comments, above, source) + _ended(source, above)).encode())
    return Patch(start, end, b"".join(pieces).decode())


def _cuts(
    source: Lines, names: list[ast.alias], dead: list[ast.alias]
) -> Iterator[tuple[int, int]]:
    """Each orphan up to the next name; those at the end, from the end of the last name that stays."""
    last = max(index for index, one in enumerate(names) if one not in dead)
    for index, one in enumerate(names[:last]):
        if one in dead:
            yield source.start(one), source.start(names[index + 1])
    if last + 1 < len(names):
        yield source.end(names[last]), source.end(names[-1])


def _comments(data: bytes) -> list[str]:
    """Import statements have no strings, so every `#` begins a comment."""
    return [one.decode().rstrip() for one in _COMMENT.findall(data) if not _PRAGMA.match(one)]


def _stacked(comments: list[str], indent: bytes, source: Lines) -> str:
    return _ended(source, indent).join(comments)


def _ended(source: Lines, indent: bytes) -> str:
    newline = "\r\n" if b"\r\n" in source.data else "\n"
    return newline + indent.decode()
