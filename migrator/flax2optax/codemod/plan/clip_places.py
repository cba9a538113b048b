"""Where in a function an expression stands, and which assignment a name means there.

Only straight lines count: a name that a branch, a loop or a `with` may have bound is some value of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, walk

Scope = t.Function | t.Module
Block = tuple[t.Statement, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Inside `path`'s last statement: the blocks from the outermost in, each with the index of the statement."""

    scope: Scope
    path: tuple[tuple[Block, int], ...]

    @property
    def statement(self) -> t.Statement:
        """The innermost statement."""
        block, index = self.path[-1]
        return block[index]

    def at(self, depth: int, index: int) -> Place:
        """The statement `index` of one of the blocks around."""
        return Place(self.scope, (*self.path[:depth], (self.path[depth][0], index)))


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name means at a place; `key` is the same for the same value, `statement` set for a plain assignment."""

    key: tuple[object, ...]
    place: Place | None = None
    statement: t.Assign | None = None


def place_of(above: tuple[Node, ...], module: t.Module) -> Place | None:
    """The place of a node by the nodes above it; None inside a class body or a default."""
    scope: Scope = module
    start = 0
    for index, node in enumerate(above):
        if isinstance(node, t.Function):
            scope, start = node, index + 1
    blocks: list[tuple[Block, ...]] = (
        [(scope.body,)] if isinstance(scope, t.Module) or scope.value is None else []
    )
    path: list[tuple[Block, int]] = []
    for node in above[start:]:
        if isinstance(node, t.Class):
            return None
        if not isinstance(node, t.Statement):
            break
        found = next(((b, b.index(node)) for group in blocks for b in group if node in b), None)
        if found is None:
            return None
        path.append(found)
        blocks = [tuple(_blocks(node))]
    return Place(scope, tuple(path))


def binding(place: Place, name: str, without: frozenset[NodeId] = frozenset()) -> Binding | None:
    """The assignment a name means, or its parameter; None where another scope binds it."""
    if _rebound_elsewhere(place.scope, name):
        return Binding(("unknown", place.statement.id if place.path else -1, name))
    for depth in reversed(range(len(place.path))):
        block, index = place.path[depth]
        if _walrus(block[index], name):
            return Binding(("unknown", block[index].id, name))
        for before in reversed(range(index)):
            statement = block[before]
            if statement.id not in without and binds(statement, name):
                return _bound(place.at(depth, before), statement, name)
        owner = place.path[depth - 1][0][place.path[depth - 1][1]] if depth else None
        if owner is not None and _header_binds(owner, name):
            return Binding(("unknown", owner.id, name))
    scope = place.scope
    if isinstance(scope, t.Module):
        return Binding(("unknown", scope.base, name)) if name in _module_names(scope) else None
    if any(parameter.name == name for parameter in scope.parameters):
        return Binding(("parameter", scope.id, name))
    return Binding(("unknown", scope.id, name)) if name in scope.locals else None


def _rebound_elsewhere(scope: Scope, name: str) -> bool:
    """Whether a `global` or `nonlocal` lets other functions bind the name."""
    module = scope if isinstance(scope, t.Module) else scope.module
    return any(name in function.outer for function in module.functions)


def _bound(place: Place, statement: t.Statement, name: str) -> Binding:
    if isinstance(statement, t.Assign) and len(statement.targets) == 1:
        named = [n for n in target_names(statement.targets[0]) if n.name == name]
        if len(named) == 1:
            return Binding(("bound", named[0].id), place, statement)
    return Binding(("unknown", statement.id, name))


def target_names(target: t.Expression) -> list[t.Name]:
    """The names of a target that is a name or a flat tuple of names; none otherwise."""
    if isinstance(target, t.Name):
        return [target]
    if isinstance(target, t.Sequence) and all(isinstance(e, t.Name) for e in target.elements):
        return [e for e in target.elements if isinstance(e, t.Name)]
    return []


def binds(node: Node, name: str) -> bool:
    """Whether a statement may bind a name of its own scope, at any depth."""
    if isinstance(node, t.Define):
        return node.definition.name == name
    if isinstance(node, t.Import):
        return not node.aliases or any(a.bound == name for a in node.aliases)
    if isinstance(node, t.Statement) and any(_targets(target, name) for target in _target_of(node)):
        return True
    if isinstance(node, t.Try) and any(bound == name for _, bound, _ in node.handlers):
        return True
    if isinstance(node, t.Match) and any(name in names for names, _, _ in node.cases):
        return True
    inner = (s for block in _blocks(node) for s in block) if isinstance(node, t.Statement) else ()
    return any(binds(s, name) for s in inner) or _walrus(node, name)


def _target_of(node: t.Statement) -> list[t.Expression]:
    match node:
        case t.Assign(targets=targets) | t.Delete(targets=targets):
            return list(targets)
        case t.With(items=items):
            return [target for _, target in items if target is not None]
        case t.AnnAssign(target=target) | t.AugAssign(target=target) | t.For(target=target):
            return [target]
    return []


def _targets(target: t.Expression, name: str) -> bool:
    """Whether a target binds a name; `name[i] = …` and `name.x = …` change what it holds, which is as bad."""
    return any(isinstance(n, t.Name) and n.name == name for n, _ in walk((target,)))


def _walrus(node: Node, name: str) -> bool:
    return any(isinstance(n, t.Named) and n.target.name == name for n, _ in walk((node,)))


def _header_binds(owner: t.Statement, name: str) -> bool:
    """Whether a compound statement may have bound a name before a block of it goes on."""
    if isinstance(owner, t.If):
        return _walrus(owner.test, name)
    if isinstance(owner, t.With):
        return any(_targets(target, name) for target in _target_of(owner))
    return binds(owner, name)


def _blocks(node: t.Statement) -> Iterator[Block]:
    match node:
        case (
            t.If(body=body, orelse=orelse)
            | t.For(body=body, orelse=orelse)
            | t.While(body=body, orelse=orelse)
        ):
            yield from (body, orelse)
        case t.With(body=body):
            yield body
        case t.Try():
            yield from (node.body, *(body for _, _, body in node.handlers), node.orelse, node.final)
        case t.Match(cases=cases):
            yield from (body for _, _, body in cases)


def _module_names(module: t.Module) -> set[str]:
    return {n for n in module.bound if any(binds(s, n) for s in module.body)}


def reads(scope: Scope, name: str) -> Iterator[tuple[t.Name, Place | None]]:
    """Every read of a scope's name, in nested functions too; the place only where it is the scope's own line."""
    body = scope.body if isinstance(scope, t.Module) or scope.value is None else (scope.value,)
    for node, above in walk(body, (scope,) if isinstance(scope, t.Function) else ()):
        if not isinstance(node, t.Name) or node.name != name or _is_target(node, above):
            continue
        inner = [n for n in above if isinstance(n, t.Function) and n is not scope]
        if any(name in f.locals for f in inner) or _is_loop_variable(above, name):
            continue
        module = scope if isinstance(scope, t.Module) else scope.module
        yield node, None if inner else place_of(above, module)


def _is_target(node: t.Name, above: tuple[Node, ...]) -> bool:
    over = next((n for n in reversed(above) if not isinstance(n, t.Sequence | t.Starred)), None)
    if isinstance(over, t.Assign):
        return any(_targets_directly(target, node) for target in over.targets)
    return isinstance(over, t.For | t.AnnAssign | t.Generator) and _targets_directly(
        over.target, node
    )


def _targets_directly(target: t.Expression, node: t.Name) -> bool:
    return any(n is node for n, _ in walk((target,)))


def _is_loop_variable(above: tuple[Node, ...], name: str) -> bool:
    """Whether a comprehension around the read binds the name; an iterable's reads are counted in any case."""
    if any(isinstance(node, t.Generator) for node in above):
        return False
    return any(
        _targets(generator.target, name)
        for node in above
        if isinstance(node, t.Comprehension)
        for generator in node.generators
    )
