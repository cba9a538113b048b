"""Objects of classes that are not there: made by keywords, replaced by keywords, and followed if they are used as records."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.absent import REPLACES, fields_of
from flax2optax.codemod.infer.calls import Args, escape, store_fields
from flax2optax.codemod.infer.machine import Escape, Frame, Machine
from flax2optax.codemod.infer.objects import carried, carries
from flax2optax.codemod.infer.values import Instance, Value, join, one


def make(m: Machine, reader: Frame, node: t.Expression, class_id: NodeId, args: Args) -> Value:
    """Call the class."""
    m.absent_classes[class_id].made[node.id] = None
    return give(m, reader, node, class_id, args)


def give(m: Machine, reader: Frame, node: t.Expression, class_id: NodeId, args: Args) -> Value:
    """Call the class, or `replace` of an object of it: a keyword is a field, and all else goes where nobody sees."""
    owner, unnamed = fields_of(class_id), _unnamed(args)
    store_fields(m, class_id, [], args)
    m.store(owner, 0, unnamed)  # no field has this name: it only is in one flow with the rest
    named = {k: v for k, v in args.keywords.items() if not carries(m, reader, v[0])}
    lost = Args(args.positional, named, args.rest, args.keyword_rest, args.spread)
    found = escape(m, reader, node, m.classes[class_id].name, lost)
    # The object has the records that it is given by name, and is not one of them.
    has = frozenset(a for v, _ in named.values() for a in v if isinstance(a, Instance))
    return join(one(Instance(class_id)), found - (has - unnamed))


def _unnamed(args: Args) -> Value:
    return join(*(value for value, _ in args.positional), args.rest, args.keyword_rest)


def inside(m: Machine, class_id: NodeId, instances: bool = True) -> Value:
    """The optimizers, definitions and states that objects of a class have; in fields of records only if asked."""
    top = m.frames[0]
    return frozenset(carried(m, top, m.load_all(top, fields_of(class_id)), instances))


def read_back(m: Machine, class_id: NodeId) -> bool:
    """Whether a field with an optimizer is read, of an object or of a record in it."""
    asked = m.absent_classes[class_id].asked.keys()
    return not asked.isdisjoint(_fields(m, class_id, instances=True))


def escape_from_records(m: Machine) -> None:
    """Lose the optimizers of objects that are asked for more than a record has, or not asked for them at all."""
    for class_id, absent in m.absent_classes.items():
        direct = inside(m, class_id, instances=False)
        if direct and not _is_record(m, class_id):
            for node in absent.made:
                m.escapes[Escape(node, "call", m.classes[class_id].name, direct)] = None


def _is_record(m: Machine, class_id: NodeId) -> bool:
    """Whether each field with an optimizer is read, and nothing is asked for but fields and `replace`."""
    asked = m.absent_classes[class_id].asked.keys() - REPLACES
    given = {name for name in m.fields(fields_of(class_id)) if isinstance(name, str)}
    return _fields(m, class_id, instances=False) <= asked <= given


def _fields(m: Machine, class_id: NodeId, *, instances: bool) -> set[str]:
    top, owner = m.frames[0], fields_of(class_id)
    names = [name for name in m.fields(owner) if isinstance(name, str)]
    return {name for name in names if carries(m, top, m.load(top, owner, name), instances)}
