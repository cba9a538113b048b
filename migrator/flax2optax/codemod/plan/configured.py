"""Which strings a setting is given in the whole program: `config.optim_name = 'Adam'` for `config.get('optim_name')`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.program import Program
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.plan.explicit_names import scope_of


@dataclass(frozen=True, slots=True)
class Setting:
    """The strings a setting is given; `closed` where nothing else gives it a value."""

    values: frozenset[str]
    closed: bool


def setting(program: Program, node: t.Expression, above: tuple[Node, ...]) -> Setting | None:
    """What the program says of the setting an expression reads; None where it reads none."""
    key = _key(node) or _key(_assigned(program, node, above))
    return None if key is None else _settings(program, key)


def _key(node: t.Expression | None) -> str | None:
    """`optim_name` of `config.optim_name`, `config['optim_name']` and `config.get('optim_name')`."""
    match node:
        case t.Attribute(attr=attr):
            return attr
        case t.Subscript(indices=(t.Constant(value=str() as key),)):
            return key
        case t.Call(func=t.Attribute(attr="get"), args=(argument, *_)):
            value = argument.value
            return (
                value.value
                if isinstance(value, t.Constant) and isinstance(value.value, str)
                else None
            )
    return None


def _assigned(program: Program, node: t.Expression, above: tuple[Node, ...]) -> t.Expression | None:
    """The one expression that a name is assigned in its scope."""
    if not isinstance(node, t.Name):
        return None
    module = program.owner(node.id)
    scope = scope_of(node.name, above, module)
    found = [
        one.value
        for one, around in everything(module)
        if isinstance(one, t.Assign)
        and any(isinstance(target, t.Name) and target.name == node.name for target in one.targets)
        and scope_of(node.name, around, module) is scope
    ]
    return found[0] if len(found) == 1 else None


def _settings(program: Program, key: str) -> Setting:
    quoted = re.compile(rf"""(?:\b{key}\s*=|["']{key}["']\]?\s*[:=])\s*["'](\w+)["']""")
    given = re.compile(
        rf"""(?:\b{key}\s*=(?!=)|["']{key}["']\]?\s*(?::|=(?!=)))"""
        rf"""|(?:DEFINE_\w+|add_argument)\(\s*["']-*{key}["']"""
    )
    values: set[str] = set()
    closed = True
    for path in program.paths:
        if key in program.words(path):
            text = program.read(path) or ""
            found = quoted.findall(text)
            values.update(found)
            closed = closed and len(found) == len(given.findall(text))
    return Setting(frozenset(values), closed)
