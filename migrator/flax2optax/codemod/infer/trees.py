"""Tree functions that stop at whole objects: `tree_map(f, optimizers, is_leaf=…)` calls `f` with each optimizer."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args, escape
from flax2optax.codemod.infer.library import TREE_MAP, functions_in, invoke
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import carried
from flax2optax.codemod.infer.values import OTHER, Container, TupleOf, Value, join, one


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
