"""Children of a node, and every node of a module with the nodes above it."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t

Node = t.Expression | t.Statement | t.Argument | t.Function | t.Class | t.Parameter | t.Generator


def children(node: Node) -> Iterator[Node]:
    """Direct children, in the order of the text as far as it matters."""
    match node:
        case t.Attribute(value=value) | t.Starred(value=value) | t.Argument(value=value):
            yield value
        case t.Call(func=func, args=args):
            yield func
            yield from args
        case t.Sequence(elements=parts) | t.Operation(operands=parts) | t.FString(values=parts):
            yield from parts
        case t.Dict(items=items):
            for key, value in items:
                if key is not None:
                    yield key
                yield value
        case t.Subscript(value=value, indices=indices):
            yield value
            yield from indices
        case t.Conditional(test=test, body=body, orelse=orelse):
            yield from (body, test, orelse)
        case t.Comprehension(elements=elements, generators=generators):
            yield from elements
            yield from generators
        case t.Generator(target=target, iterable=iterable, conditions=conditions):
            yield from (target, iterable, *conditions)
        case t.Named(target=target, value=value):
            yield from (target, value)
        case t.Yield(value=t.Expression() as value):
            yield value
        case t.Lambda(function=function):
            yield function
        case _:
            yield from _definitions(node)


def _definitions(node: Node) -> Iterator[Node]:
    match node:
        case t.Parameter(default=default, annotation=annotation):
            yield from (part for part in (annotation, default) if part is not None)
        case t.Function():
            yield from node.decorators
            yield from node.parameters
            if node.returns is not None:
                yield node.returns
            yield from node.body
            if node.value is not None:
                yield node.value
        case t.Class():
            yield from node.decorators
            yield from node.arguments
            yield from node.body
        case t.Statement():
            yield from _statement(node)


def _statement(node: t.Statement) -> Iterator[Node]:
    match node:
        case t.Assign(targets=targets, value=value):
            yield from (*targets, value)
        case t.AnnAssign(target=target, annotation=annotation, value=value):
            yield from (part for part in (target, annotation, value) if part is not None)
        case t.AugAssign(target=target, value=value):
            yield from (target, value)
        case t.Evaluate(values=values) | t.Delete(targets=values):
            yield from values
        case t.Return(value=t.Expression() as value):
            yield value
        case t.Define(definition=definition):
            yield definition
        case _:
            yield from _compound(node)


def _compound(node: t.Statement) -> Iterator[Node]:
    match node:
        case (
            t.If(test=test, body=body, orelse=orelse) | t.While(test=test, body=body, orelse=orelse)
        ):
            yield test
            yield from (*body, *orelse)
        case t.For(target=target, iterable=iterable, body=body, orelse=orelse):
            yield from (target, iterable)
            yield from (*body, *orelse)
        case t.With(items=items, body=body):
            for context, bound in items:
                yield context
                if bound is not None:
                    yield bound
            yield from body
        case t.Try(body=body, handlers=handlers, orelse=orelse, final=final):
            yield from body
            for type_, _, handler in handlers:
                if type_ is not None:
                    yield type_
                yield from handler
            yield from (*orelse, *final)
        case t.Match(subject=subject, cases=cases):
            yield subject
            for _, guard, body in cases:
                if guard is not None:
                    yield guard
                yield from body


def walk(
    nodes: tuple[Node, ...], above: tuple[Node, ...] = ()
) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Every node below `nodes` in preorder, each with the nodes above it, outermost first."""
    for node in nodes:
        yield node, above
        yield from walk(tuple(children(node)), (*above, node))
