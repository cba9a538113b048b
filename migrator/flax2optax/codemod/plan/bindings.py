"""Whether a name means the same at two places, and always: bound once, in one scope that both can see."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, walk
from flax2optax.codemod.plan.explicit_names import Scope


def bound_once(name: str, scope: Scope) -> bool:
    """Whether a scope binds a name in exactly one place, which is not in a loop."""
    found = [above for _, above in _bindings(name, scope.body)]
    parameter = isinstance(scope, t.Function) and any(p.name == name for p in scope.parameters)
    looped = any(isinstance(n, t.For | t.While | t.Comprehension) for above in found for n in above)
    return len(found) + parameter == 1 and not looped


def first_binding(name: str, scope: Scope) -> Node | None:
    """The first place in the text that binds a name; None for a parameter."""
    if isinstance(scope, t.Function) and any(p.name == name for p in scope.parameters):
        return None
    return next((node for node, _ in _bindings(name, scope.body)), None)


def is_imported(name: str, scope: Scope) -> bool:
    """Whether an import binds a name there."""
    return any(isinstance(node, t.Import) for node, _ in _bindings(name, scope.body))


def settled_before(name: str, scope: Scope, first: NodeId) -> bool:
    """Whether every binding of a name stands in its own scope, in no loop, above the node `first`."""
    found = list(_bindings(name, scope.body))
    return all(
        node.id < first
        and not isinstance(node, t.Scope)
        and not any(isinstance(n, t.For | t.While | t.Function | t.Delete) for n in above)
        for node, above in found
        if not isinstance(node, t.Generator)
    )


def _bindings(name: str, body: tuple[Node, ...]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Every place of a scope (and of the functions in it, by `global` and `nonlocal`) that binds a name."""
    for node, above in walk(body):
        inner = [n for n in above if isinstance(n, t.Function | t.Lambda)]
        if (isinstance(node, t.Scope) and any(n == name for n, _ in node.names)) or (
            not inner and _binds(name, node, above)
        ):
            yield node, above


def _binds(name: str, node: Node, above: tuple[Node, ...]) -> bool:
    match node:
        case t.Name():
            return node.name == name and _is_target(node, above)
        case t.Function() | t.Class():
            return node.name == name
        case t.Import():
            return not node.aliases or any(a.bound == name for a in node.aliases)
        case t.Try():
            return any(bound == name for _, bound, _ in node.handlers)
        case t.Match():
            return any(name in names for names, _, _ in node.cases)
    return False


def _is_target(node: t.Expression, above: tuple[Node, ...]) -> bool:
    inner: Node = node
    for over in reversed(above):
        if isinstance(over, t.Sequence | t.Starred):
            inner = over
            continue
        match over:
            case t.Assign(targets=targets) | t.Delete(targets=targets):
                return any(inner is target for target in targets)
            case t.AnnAssign(target=target) | t.AugAssign(target=target) | t.For(target=target):
                return inner is target
            case t.Generator(target=target) | t.Named(target=target):
                return inner is target
            case t.With(items=items):
                return any(inner is target for _, target in items)
        return False
    return False
