"""Tuples, lists, dicts and iterators: items, elements, unpacking, and the methods that matter."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.absent import fields_of, is_absent
from flax2optax.codemod.infer.machine import Escape, Frame, Machine
from flax2optax.codemod.infer.objects import (
    bind_methods,
    carried,
    carries,
    class_member,
    external_bases,
    record_fields,
)
from flax2optax.codemod.infer.scope import PROJECT
from flax2optax.codemod.infer.stored import Restored
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    UNKNOWN,
    Array,
    Atom,
    Attr,
    Container,
    External,
    Free,
    Instance,
    Literal,
    Made,
    Optimizer,
    Part,
    Serialized,
    TupleOf,
    Unknown,
    Value,
    join,
    one,
)


def elements(m: Machine, reader: Frame, value: Value) -> Value:
    """What iterating over a value yields."""
    return join(*(_elements(m, reader, atom) for atom in value))


def _elements(m: Machine, reader: Frame, atom: Atom) -> Value:
    match atom:
        case TupleOf(items=items):
            return join(*items) or NOTHING
        case Container(site=site, kind="dict"):
            m.load_all(reader, site)
            return join(
                OTHER, *(one(Literal(k)) for k in m.fields(site) if isinstance(k, str) and k != "*")
            )
        case Container(site=site):
            return m.load_all(reader, site)
        case Instance():
            return _iterated(m, reader, atom)
        case Unknown() | Optimizer():
            return UNKNOWN
        case Free():
            return OTHER
        case Part(kind="hyper_params" | "param_states") | Serialized() | Made() | Array():
            return one(atom)
        case External(name=name) if name.startswith(PROJECT):
            return one(Made(name))
    return OTHER


def _iterated(m: Machine, reader: Frame, atom: Instance) -> Value:
    """What an object of the program yields: by its own methods, or the fields of a named tuple."""
    if is_absent(m, atom.class_):
        return join(m.load_all(reader, fields_of(atom.class_)), OTHER)
    for name in ("__iter__", "__next__", "__getitem__"):
        found = called_method(m, reader, atom, name)
        if found is not None and name == "__iter__":
            found = elements(m, reader, found - {atom}) or None  # an iterator is its own
        if found is not None:
            return found
    return join(*(value for _, value in record_fields(m, reader, atom))) or OTHER


def called_method(
    m: Machine, reader: Frame, atom: Instance, name: str, *given: Value
) -> Value | None:
    """What a special method of an object's class returns; None where it has none."""
    bound = bind_methods(m, class_member(m, reader, atom.class_, name), atom)
    return m.call_bound(reader, 0, bound, *given) if bound else None


def item(m: Machine, reader: Frame, base: Value, key: Value, sliced: bool, node: NodeId) -> Value:
    """`base[key]`."""
    names = [a.value for a in key if isinstance(a, Literal)]
    exact = len(names) == len(key) and not sliced
    found = NOTHING
    for atom in base:
        if sliced and isinstance(atom, TupleOf | Container):
            found = join(found, _slice(m, reader, atom, node))
        elif exact and isinstance(atom, TupleOf | Container):
            found = join(found, *(_keyed(m, reader, atom, name) for name in names))
        else:
            found = join(found, _any_item(m, reader, atom))
    return found


def _slice(m: Machine, reader: Frame, atom: Atom, node: NodeId) -> Value:
    m.store(node, "*", _elements(m, reader, atom))
    return one(Container(node, "list"))


def _keyed(m: Machine, reader: Frame, atom: TupleOf | Container, name: object) -> Value:
    if isinstance(atom, TupleOf):
        if isinstance(name, int) and -len(atom.items) <= name < len(atom.items):
            return atom.items[name]
        return join(*atom.items)
    if atom.kind != "dict" and isinstance(name, int) and name < 0:
        return m.load_all(reader, atom.site)
    return join(m.load(reader, atom.site, name), m.load(reader, atom.site, "*"))


def _any_item(m: Machine, reader: Frame, atom: Atom) -> Value:
    match atom:
        case Container(site=site):
            return m.load_all(reader, site)
        case Free(function=function, path=path) if path.count(".") < 3:
            return one(Free(function, path + ".[]"))
        case Part(kind="target"):
            return OTHER
        case Part() | Serialized() | Unknown() | Restored():
            return one(atom)
        case Instance(class_=class_id):
            found = called_method(m, reader, atom, "__getitem__", OTHER)
            if found is not None:
                return found
            if not external_bases(m, class_id):
                return OTHER  # a record has no items, unless a library's class gives it some
    return _elements(m, reader, atom)


def store_item(
    m: Machine,
    reader: Frame,
    base: Value,
    key: Value,
    value: Value,
    node: NodeId,
    sliced: bool = False,
) -> None:
    """`base[key] = value`."""
    names = [a.value for a in key if isinstance(a, Literal)]
    seen = any(isinstance(a, Container) for a in base)
    for atom in base:
        if isinstance(atom, Instance):
            seen |= called_method(m, reader, atom, "__setitem__", key, value) is not None
        if isinstance(atom, External) and atom.name.startswith(PROJECT):
            m.want((atom.name,))
        if isinstance(atom, Container):
            if sliced:
                shuffle(m, reader, atom.site)
                m.store(atom.site, "*", elements(m, reader, value))
                continue
            for name in names if len(names) == len(key) else ["*"]:
                m.store(atom.site, name, value)
        elif not seen and carries(m, reader, value):
            m.escapes[Escape(node, "item", "an item of an object that cannot be seen", value)] = (
                None
            )


def unpack(
    m: Machine, reader: Frame, targets: tuple[t.Expression, ...], value: Value
) -> list[Value]:
    """What each target of an unpacking gets."""
    result = [NOTHING] * len(targets)
    for atom in value:
        for index, part in enumerate(_unpacked(m, reader, targets, atom)):
            result[index] = join(result[index], part)
    return result


def _unpacked(
    m: Machine, reader: Frame, targets: tuple[t.Expression, ...], atom: Atom
) -> list[Value]:
    star = next((i for i, target in enumerate(targets) if isinstance(target, t.Starred)), None)
    items = _listed(m, reader, atom)
    if items is not None and star is None and len(items) == len(targets):
        return items
    if items is not None and star is not None and len(items) >= len(targets) - 1:
        after = len(targets) - star - 1
        middle = items[star : len(items) - after]
        site = targets[star].id
        for value in middle:
            m.store(site, "*", value)
        tail = items[len(items) - after :] if after else []
        return [*items[:star], one(Container(site, "list")), *tail]
    if items is not None:
        return []
    return [_elements(m, reader, atom)] * len(targets)


def _listed(m: Machine, reader: Frame, atom: Atom) -> list[Value] | None:
    """The items in order, where they are known."""
    match atom:
        case TupleOf(items=items):
            return list(items)
        case Container(site=site, kind="list"):
            m.load_all(reader, site)
            keys = m.fields(site)
            if keys and all(isinstance(k, int) for k in keys):
                return [m.load(reader, site, k) for k in sorted(keys)]  # type: ignore[type-var]
        case Instance():
            fields = record_fields(m, reader, atom)
            return [value for _, value in fields] or None
    return None


def container_method(
    m: Machine,
    reader: Frame,
    atom: Attr,
    positional: list[Value],
    keywords: dict[str, Value],
    node: NodeId,
) -> Value:
    """Call a method of a list or dict."""
    assert isinstance(atom.of, Container)
    site, kind = atom.of.site, atom.of.kind
    every = m.load_all(reader, site)
    if kind == "list" and atom.name in MOVES:
        shuffle(m, reader, site)
    match atom.name:
        case "append" | "add" | "appendleft":
            m.store(site, "*", join(*positional))
        case "insert":
            m.store(site, "*", join(*positional[1:]))
        case "__setitem__" if len(positional) == 2:
            store_item(m, reader, one(atom.of), positional[0], positional[1], node)
        case "extend":
            m.store(site, "*", join(*(elements(m, reader, v) for v in positional)))
        case "update":
            for value in positional:
                _update(m, reader, site, value)
            for key, value in keywords.items():
                m.store(site, key, value)
        case "setdefault" if len(positional) == 2:
            for a in positional[0]:
                m.store(site, a.value if isinstance(a, Literal) else "*", positional[1])
            return item(m, reader, one(atom.of), positional[0], False, node)
        case "replace" | "_replace" if kind == "namespace":
            for key, value in keywords.items():
                m.store(site, key, value)
            for value in positional:
                _update(m, reader, site, value)
            return one(atom.of)
        case "send" if kind == "iterator":
            m.store(("sent", site), "*", join(*positional))
            return every
        case "get" | "pop" if kind == "dict" and positional:
            return join(item(m, reader, one(atom.of), positional[0], False, node), *positional[1:])
        case "items":
            m.store(node, "*", one(TupleOf((OTHER, every))))
            return one(Container(node, "list"))
        case "values":
            m.store(node, "*", every)
            return one(Container(node, "list"))
        case "copy" | "unfreeze" | "freeze" | "_asdict":
            for value in positional:  # `FrozenDict.copy(more)`
                _update(m, reader, site, value)
            return one(atom.of)
        case "popitem":
            return one(TupleOf((OTHER, every)))
        case "pop" | "popleft" | "__next__" | "__getitem__":
            return every
        case "__iter__" | "union" | "__reversed__":
            for value in positional:
                grow(m, reader, atom.of, value)
            return one(atom.of)
        case _ if atom.name in LOSES and (lost := carried(m, reader, every)):
            into = f"the method `{atom.name}`"
            m.escapes[Escape(node, "method", into, frozenset(lost))] = None
            return UNKNOWN
    return OTHER


def grow(m: Machine, reader: Frame, container: Container, value: Value) -> None:
    """Put what another container holds into this one."""
    if container.kind == "dict":
        _update(m, reader, container.site, value)
    else:
        m.store(container.site, "*", elements(m, reader, value))


# Methods of Python's own containers that hand on what is in them, in ways that are not followed.
LOSES = frozenset({
    "__add__", "__mul__", "__or__", "__ior__", "__iadd__", "__imul__", "__rmul__", "__ror__", "__reduce__",
    "difference", "intersection", "symmetric_difference", "fromkeys", "throw", "extendleft",
    "difference_update", "intersection_update", "symmetric_difference_update",
})  # fmt: skip


# Methods of a list behind which its items stand at other places.
MOVES = frozenset({"insert", "reverse", "sort", "remove", "pop", "__delitem__"})


def shuffle(m: Machine, reader: Frame, site: NodeId) -> None:
    """From here on any item may stand at any place."""
    m.store(site, "*", m.load_all(reader, site))


def _update(m: Machine, reader: Frame, site: NodeId, value: Value) -> None:
    for source in value:
        if isinstance(source, Container) and source.kind in ("dict", "namespace"):
            m.load_all(reader, source.site)
            for key in m.fields(source.site):
                m.store(site, key, m.load(reader, source.site, key))
        else:  # pairs
            pairs = _elements(m, reader, source)
            m.store(site, "*", item(m, reader, pairs, one(Literal(1)), False, 0))
