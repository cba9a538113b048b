"""What Python's own functions gather: pairs, sums of lists, dicts, namespaces."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args, escape
from flax2optax.codemod.infer.containers import elements, item
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.values import (
    OTHER,
    Container,
    External,
    Literal,
    Numbers,
    Partial,
    TupleOf,
    Value,
    join,
    one,
)


def zip_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """Pairs of the elements, or the elements of pairs."""
    parts = [elements(m, reader, v) or OTHER for v, _ in args.positional]
    if args.rest:  # `zip(*pairs)`
        inner = node.func.id if isinstance(node, t.Call) else node.id
        m.store(inner, "*", join(elements(m, reader, args.rest), *parts))
        m.store(node.id, "*", one(Container(inner, "list")))
    else:
        m.store(node.id, "*", one(TupleOf(tuple(parts))))
    return one(Container(node.id, "list"))


def sum_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`sum(lists, [])` puts lists together."""
    parts = join(elements(m, reader, args.get(0)), args.get(1, "start"))
    lists = frozenset(a for a in parts if isinstance(a, Container | TupleOf))
    if not lists:
        return escape(m, reader, node, "sum", args)
    m.store(node.id, "*", elements(m, reader, lists))
    return one(Container(node.id, "list"))


def range_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """Numbers in a row."""
    return one(Numbers())


def enumerate_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """Pairs of a number and an element."""
    m.store(node.id, "*", one(TupleOf((OTHER, elements(m, reader, args.get(0)) or OTHER))))
    return one(Container(node.id, "list"))


def next_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """An element, or the default."""
    return join(elements(m, reader, args.get(0)), *(v for v, _ in args.positional[1:]))


def dict_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """A dict of other dicts, pairs and keywords."""
    for value, _ in args.positional:
        for atom in value:
            if isinstance(atom, Container) and atom.kind == "dict":
                m.load_all(reader, atom.site)
                for key in m.fields(atom.site):
                    m.store(node.id, key, m.load(reader, atom.site, key))
            else:
                pairs = elements(m, reader, one(atom))
                m.store(node.id, "*", item(m, reader, pairs, one(Literal(1)), False, node.id))
    for key, (value, _) in args.keywords.items():
        m.store(node.id, key, value)
    m.store(node.id, "*", args.keyword_rest)
    return one(Container(node.id, "dict"))


def namespace(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """An object whose fields are the keywords it is given, or the keys of a dict."""
    for value, _ in args.positional:
        copied = frozenset(a for a in value if isinstance(a, Container))
        for atom in copied:
            for key in m.fields(atom.site):
                m.store(node.id, key, m.load(reader, atom.site, key))
        m.store(node.id, "*", value - copied)
    for key, (value, _) in args.keywords.items():
        m.store(node.id, key, value)
    m.store(node.id, "*", join(args.rest, args.keyword_rest))
    return one(Container(node.id, "namespace"))


def namedtuple(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """A class whose objects are namespaces."""
    return one(Partial(External("types.SimpleNamespace"), (), (), node.id))
