"""Tree functions that do not keep the tree: those that stop at whole objects, open them, or take a tree apart."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args, escape
from flax2optax.codemod.infer.library import functions_in, invoke
from flax2optax.codemod.infer.machine import Escape, Frame, Machine
from flax2optax.codemod.infer.objects import STRUCTURE, carried
from flax2optax.codemod.infer.tables import TREE_MAP
from flax2optax.codemod.infer.values import (
    OTHER,
    UNKNOWN,
    Container,
    External,
    Numbers,
    Part,
    Partial,
    TupleOf,
    Value,
    join,
    one,
)


def over_whole_objects(
    m: Machine, reader: Frame, node: t.Expression, name: str, args: Args
) -> Value | None:
    """What such a call returns; None where it goes down to the arrays."""
    mapped = name in TREE_MAP
    trees = args.positional[1:] if mapped else args.positional[:1]
    stops = "is_leaf" in args.keywords or (not mapped and len(args.positional) > 1)
    found = carried(m, reader, join(*(value for value, _ in trees)), True) if stops else set()
    if not found:
        return None
    each = frozenset(found) | OTHER
    given = (*args.positional[1 if not mapped else 0 : 2], *args.keywords.values())
    results = [
        invoke(m, reader, node, atom, Args([(each, 0)] * (len(trees) if mapped else 1)))
        for value, _ in given
        for atom in functions_in(value)
    ]
    if mapped:
        kept = carried(m, reader, join(*results), True)
        return escape(m, reader, node, "a tree that is mapped", args) if kept else OTHER
    m.store(node.id, "*", each)
    leaves = one(Container(node.id, "list"))
    return leaves if "flatten" not in name else one(TupleOf((leaves, OTHER)))


def opened(m: Machine, reader: Frame, node: t.Expression, name: str, args: Args) -> Value:
    """Fields and leaves of an object: an optimizer in it is lost."""
    inside = frozenset(carried(m, reader, args.all(), instances=True))
    if not inside:
        from flax2optax.codemod.infer.handlers import HANDLERS

        handler = HANDLERS.get(name)
        return handler(m, reader, node, args) if handler else escape(m, reader, node, name, args)
    m.escapes[Escape(node.id, "call", name.removeprefix("builtins."), inside)] = None
    return UNKNOWN


def flatten(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """Leaves, which are arrays, and the structure."""
    return one(TupleOf((OTHER, structure(m, reader, node, args))))


def structure(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """A tree's structure, from which the tree may be built again; its leaves come in the structure's order."""
    tree = args.get(0, "tree")
    inside = frozenset(carried(m, reader, tree, instances=True))
    if not inside:
        return OTHER
    if any(isinstance(a, Part) for a in inside):  # a state alone: how many leaves it has is asked
        m.escapes[Escape(node.id, "call", "the structure of its state", inside)] = None
        return UNKNOWN
    m.flattened[node.id] = inside
    return one(Partial(External(STRUCTURE), (tree,), (), node.id))


def unflatten(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """The tree that a structure was taken from."""
    structures = args.get(0, "treedef")
    found = [
        a.args[0]
        for a in structures
        if isinstance(a, Partial) and a.function == External(STRUCTURE)
    ]
    if not found:
        return escape(m, reader, node, "tree_unflatten", args)
    return _rebuilt(m, reader, node, join(*found))


def unflattened(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`treedef.unflatten(leaves)`; a tree of the numbers of the leaves is none of optimizers."""
    leaves = args.get(1, "leaves")
    if leaves and all(isinstance(atom, Numbers) for atom in leaves):
        return OTHER
    return _rebuilt(m, reader, node, args.get(0))


def _rebuilt(m: Machine, reader: Frame, node: t.Expression, tree: Value) -> Value:
    """A tree of the same structure, whose leaves may have been stored in flax's order."""
    m.rebuilt[node.id] = frozenset(carried(m, reader, tree, instances=True))
    return tree
