"""Which names a loop's body reads before it binds them: only those can make a second round differ from the first."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import Node, bound_nodes, walk
from flax2optax.codemod.infer.machine import Machine


def carried_over(
    m: Machine,
    target: t.Expression | None,
    body: tuple[t.Statement, ...],
    test: t.Expression | None,
) -> frozenset[str]:
    """The names that one round of a loop may have from the one before; remembered for the loop."""
    key = body[0].id
    if key not in m.carried_over:
        bound = _bound((target,)) if target is not None else frozenset()
        late = _loaded((test,)) if test is not None else frozenset()  # read after the body
        m.carried_over[key] = _block(body, bound)[0] | late
    return m.carried_over[key]


_Names = frozenset[str]


def _block(body: tuple[t.Statement, ...], bound: _Names) -> tuple[_Names, _Names]:
    """The names that a block reads before it binds them, and those that are surely bound behind it."""
    read: _Names = frozenset()
    for statement in body:
        more, bound = _statement(statement, bound)
        read |= more
    return read, bound


def _statement(statement: t.Statement, bound: _Names) -> tuple[_Names, _Names]:
    match statement:
        case t.Assign(targets=targets, value=value):
            stored = {one.id for target in targets for one in bound_nodes(target)}
            read = _loaded((value,)) | _loaded(targets, stored)
            return read - bound, bound | _bound(targets)
        case t.If(test=test, body=body, orelse=orelse):
            yes, no = _block(body, bound), _block(orelse, bound)
            return (_loaded((test,)) - bound) | yes[0] | no[0], yes[1] & no[1]
        case t.For(target=target, iterable=iterable, body=body, orelse=orelse):
            inner = _block(body, bound | _bound((target,)))[0]
            stored = {one.id for one in bound_nodes(target)}
            around = _loaded((iterable,)) | _loaded((target,), stored)
            return (around - bound) | inner | _block(orelse, bound)[0], bound
        case t.With(items=items, body=body):
            parts = tuple(part for pair in items for part in pair if part is not None)
            read, after = _block(body, bound)
            return (_loaded(parts) - bound) | read, after
    return _loaded((statement,)) - bound, bound


def _loaded(nodes: tuple[Node, ...], stored: set[int] | None = None) -> _Names:
    """Every name below some nodes, but for those that are stored to."""
    return frozenset(
        node.name
        for node, _ in walk(nodes)
        if isinstance(node, t.Name) and node.id not in (stored or ())
    )


def _bound(targets: tuple[t.Expression, ...]) -> _Names:
    return frozenset(node.name for target in targets for node in bound_nodes(target))
