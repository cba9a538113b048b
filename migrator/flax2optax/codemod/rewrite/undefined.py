"""Names that a text reads and nothing in it binds."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator

_STAR = re.compile(r"\bimport\s*\*")
KNOWN = frozenset(dir(builtins)) | {
    "__file__",
    "__path__",
    "__annotations__",
    "get_ipython",
    "display",
}


def newly_undefined(text: str, original: str) -> set[str]:
    """Names that are undefined in `text` and were not in `original`; none where a star import may bring them."""
    if _has_star(text):
        return set()
    before = set() if _has_star(original) else undefined(original)
    return undefined(text) - before


def undefined(text: str) -> set[str]:
    """Names read as globals that the module never binds."""
    top = symtable.symtable(text, "<text>", "exec")
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    bound |= {name for table in _below(top) for name in _declared(table)}
    read = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    for table in _below(top):
        read |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_global()}
    return read - bound - KNOWN


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)


def _declared(table: symtable.SymbolTable) -> Iterator[str]:
    """Names a function binds through `global`."""
    for symbol in table.get_symbols():
        if symbol.is_declared_global() and symbol.is_assigned():
            yield symbol.get_name()


def _has_star(text: str) -> bool:
    return _STAR.search(text) is not None and any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        for node in ast.walk(ast.parse(text))
    )
