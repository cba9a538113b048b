"""Children of a node, and every node of a module with the nodes above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flax2optax.codemod.index import tree as t

Node = t.Expression | t.Statement | t.Argument | t.Function | t.Class | t.Parameter | t.Generator
Place = tuple[Node, tuple[Node, ...]]


def children(node: Node) -> tuple[Node, ...]:
    """Direct children, in the order of the text as far as it matters."""
    found = _CHILDREN.get(type(node))
    return tuple(found(node)) if found is not None else ()


def everything(module: t.Module) -> tuple[Place, ...]:
    """Every node of a file in preorder, each with the nodes above it, outermost first; walked once."""
    if module.places is None:
        module.places = tuple(walk(module.body))
    return module.places


def attributes_read(module: t.Module) -> Counter[str]:
    """How often each attribute is named in a file; counted once."""
    if module.attributes is None:
        nodes = (node for node, _ in everything(module))
        module.attributes = Counter(n.attr for n in nodes if isinstance(n, t.Attribute))
    return module.attributes


def function_around(above: tuple[Node, ...]) -> t.Function | None:
    """The innermost function that a node with these above it is in."""
    return next((one for one in reversed(above) if isinstance(one, t.Function)), None)


def set_from_inside(module: t.Module) -> frozenset[str]:
    """The names that functions of a file set in an enclosing scope (`global`, `nonlocal`); collected once."""
    if module.set_from_inside is None:
        module.set_from_inside = frozenset(name for one in module.functions for name in one.outer)
    return module.set_from_inside


def bound_nodes(target: t.Expression) -> Iterator[t.Name]:
    """The names that assigning to `target` binds, not those that say where something is stored."""
    if isinstance(target, t.Name):
        yield target
    elif isinstance(target, t.Starred):
        yield from bound_nodes(target.value)
    elif isinstance(target, t.Sequence):
        for element in target.elements:
            yield from bound_nodes(element)


def walk(nodes: tuple[Node, ...], above: tuple[Node, ...] = ()) -> Iterator[Place]:
    """Every node below `nodes` in preorder, each with the nodes above it, outermost first."""
    waiting = [(node, above) for node in reversed(nodes)]
    while waiting:
        place = waiting.pop()
        yield place
        node, above = place
        found = _CHILDREN.get(type(node))
        if found is not None:
            inner = (*above, node)
            waiting.extend((child, inner) for child in reversed(tuple(found(node))))


def _some(*parts: Node | None) -> list[Node]:
    return [part for part in parts if part is not None]


def _items(items: tuple[tuple[Any, Any], ...]) -> list[Node]:
    return [part for pair in items for part in pair if part is not None]


def _function(node: t.Function) -> Iterable[Node]:
    more = _some(node.returns)
    return (*node.decorators, *node.parameters, *more, *node.body, *_some(node.value))


def _try(node: t.Try) -> list[Node]:
    handlers = [part for type_, _, body in node.handlers for part in (*_some(type_), *body)]
    return [*node.body, *handlers, *node.orelse, *node.final]


def _match(node: t.Match) -> list[Node]:
    cases = [part for _, guard, body in node.cases for part in (*_some(guard), *body)]
    return [node.subject, *cases]


_CHILDREN: dict[type, Callable[[Any], Iterable[Node]]] = {
    t.Attribute: lambda node: (node.value,),
    t.Starred: lambda node: (node.value,),
    t.Argument: lambda node: (node.value,),
    t.Call: lambda node: (node.func, *node.args),
    t.Sequence: lambda node: node.elements,
    t.Operation: lambda node: node.operands,
    t.FString: lambda node: node.values,
    t.Dict: lambda node: _items(node.items),
    t.Subscript: lambda node: (node.value, *node.indices),
    t.Conditional: lambda node: (node.body, node.test, node.orelse),
    t.Comprehension: lambda node: (*node.elements, *node.generators),
    t.Generator: lambda node: (node.target, node.iterable, *node.conditions),
    t.Named: lambda node: (node.target, node.value),
    t.Yield: lambda node: _some(node.value),
    t.Lambda: lambda node: (node.function,),
    t.Parameter: lambda node: _some(node.annotation, node.default),
    t.Function: _function,
    t.Class: lambda node: (*node.decorators, *node.arguments, *node.body),
    t.Assign: lambda node: (*node.targets, node.value),
    t.AnnAssign: lambda node: _some(node.target, node.annotation, node.value),
    t.AugAssign: lambda node: (node.target, node.value),
    t.Evaluate: lambda node: node.values,
    t.Delete: lambda node: node.targets,
    t.Return: lambda node: _some(node.value),
    t.Define: lambda node: (node.definition,),
    t.If: lambda node: (node.test, *node.body, *node.orelse),
    t.While: lambda node: (node.test, *node.body, *node.orelse),
    t.For: lambda node: (node.target, node.iterable, *node.body, *node.orelse),
    t.With: lambda node: (*_items(node.items), *node.body),
    t.Try: _try,
    t.Match: _match,
}
