"""Expressions: what each one may hold."""

from __future__ import annotations

from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.calls import Args, call
from flax2optax.codemod.infer.containers import elements, item
from flax2optax.codemod.infer.machine import Escape, Frame, Machine
from flax2optax.codemod.infer.objects import attribute, carried, class_member
from flax2optax.codemod.infer.scope import Env, lookup
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    UNKNOWN,
    Array,
    Container,
    FunctionRef,
    Instance,
    Literal,
    Other,
    TupleOf,
    Value,
    join,
    one,
)


def evaluate(m: Machine, env: Env, node: t.Expression) -> Value:
    """What `node` may hold here; recorded in the facts."""
    found = _KINDS.get(type(node), _rare)(m, env, node)
    return m.record(node.id, found)


def _name(m: Machine, env: Env, node: t.Name) -> Value:
    return lookup(m, env, node.name)


def _attribute(m: Machine, env: Env, node: t.Attribute) -> Value:
    base = evaluate(m, env, node.value)
    return join(*[attribute(m, env.frame, atom, node.attr, node.id) for atom in base])


def _constant(m: Machine, env: Env, node: t.Constant) -> Value:
    value = node.value
    plain = value is None or isinstance(value, str | int | bool)
    return one(Literal(value)) if plain else OTHER  # type: ignore[arg-type]


def _subscript(m: Machine, env: Env, node: t.Subscript) -> Value:
    named = _field_by_name(m, env, node)
    if named is not None:
        return named
    base = evaluate(m, env, node.value)
    keys = [evaluate(m, env, index) for index in node.indices]
    key = keys[0] if len(keys) == 1 and not node.sliced else OTHER
    return item(m, env.frame, base, key, node.sliced, node.id)


def _field_by_name(m: Machine, env: Env, node: t.Subscript) -> Value | None:
    """`x.__dict__['name']`: a field of an object, where none of the names may mean an optimizer."""
    match node:
        case t.Subscript(
            value=t.Attribute(value=owner, attr="__dict__"), indices=(index,), sliced=False
        ):
            names, base = evaluate(m, env, index), evaluate(m, env, owner)
            known = all(isinstance(name, Literal) for name in names)
            if known and all(isinstance(atom, Instance) for atom in base):
                found = join(*[
                    attribute(m, env.frame, atom, str(name.value), node.id)
                    for atom in base
                    for name in names
                    if isinstance(name, Literal)
                ])  # fmt: skip
                return None if carried(m, env.frame, found, instances=True) else found or OTHER
    return None


def _conditional(m: Machine, env: Env, node: t.Conditional) -> Value:
    evaluate(m, env, node.test)
    return join(evaluate(m, env, node.body), evaluate(m, env, node.orelse))


def _rare(m: Machine, env: Env, node: t.Expression) -> Value:
    match node:
        case t.Lambda(function=function):
            for parameter in function.parameters:
                if parameter.default is not None:
                    default = evaluate(m, env, parameter.default)
                    m.store(("default", function.id), parameter.name, default)
            return one(FunctionRef(function.id, env.frame.index))
        case t.Comprehension():
            return _comprehension(m, env, node)
        case t.FString(values=values):
            for value in values:
                evaluate(m, env, value)
            return OTHER
        case t.Named(target=target, value=value):
            found = evaluate(m, env, value)
            env.vars[target.name] = found
            m.assign(env.frame, target.name, found)
            m.record(target.id, found)
            return found
        case t.Starred(value=value):
            return elements(m, env.frame, evaluate(m, env, value))
        case t.Yield(kind=kind, value=value):
            found = evaluate(m, env, value) if value is not None else one(Literal(None))
            if kind == "await":
                return found
            given = elements(m, env.frame, found) if kind == "from" else found
            running = env.frame.function
            if running is None:
                return OTHER
            m.store(running.id, "*", given)
            if kind == "from":
                sites = [a.site for a in found if isinstance(a, Container) and a.kind == "iterator"]
                return join(OTHER, *(m.load(env.frame, ("returned", one_), "*") for one_ in sites))
            return join(OTHER, m.load(env.frame, ("sent", running.id), "*"))
    return OTHER


def _operation(m: Machine, env: Env, node: t.Operation) -> Value:
    values = [evaluate(m, env, operand) for operand in node.operands]
    if node.operator in ("and", "or"):
        return join(*values)
    return combined(m, env.frame, node.id, node.operator, values)


def combined(m: Machine, reader: Frame, node: NodeId, operator: str, values: list[Value]) -> Value:
    """What an operator makes of its operands; one that cannot be seen to keep an optimizer loses it."""
    if _TESTS.issuperset(operator.split()):
        return OTHER
    if any(isinstance(a, Array) for value in values for a in value):
        return one(Array())
    built = _BUILT.get(operator)
    if built is not None and len(values) == 2:
        found = built(m, reader, node, *values)
        if found is not None:
            return found
    lost = frozenset(carried(m, reader, join(*values), _overloads(m, reader, values)))
    if not lost:
        return OTHER
    m.escapes[Escape(node, "operator", f"the operator `{operator}`", lost)] = None
    return UNKNOWN


def _overloads(m: Machine, reader: Frame, values: list[Value]) -> bool:
    """Whether an operand's class may say itself what an operator does."""
    return any(
        isinstance(atom, Instance) and class_member(m, reader, atom.class_, name)
        for value in values
        for atom in value
        for name in _OVERLOADS
    )


def _concatenated(
    m: Machine, reader: Frame, node: NodeId, left: Value, right: Value
) -> Value | None:
    if not any(isinstance(a, TupleOf | Container) for a in left | right):
        return None
    pair = (*left, *right)
    if len(pair) == 2 and isinstance(pair[0], TupleOf) and isinstance(pair[1], TupleOf):
        return one(TupleOf(pair[0].items + pair[1].items))
    m.store(node, "*", join(elements(m, reader, left), elements(m, reader, right)))
    return one(Container(node, "list"))


def _repeated(m: Machine, reader: Frame, node: NodeId, left: Value, right: Value) -> Value | None:
    """`[x] * n`."""
    several = frozenset(a for a in left | right if isinstance(a, TupleOf | Container))
    if not several:
        return None
    m.store(node, "*", elements(m, reader, several))
    return one(Container(node, "list"))


def _united(m: Machine, reader: Frame, node: NodeId, left: Value, right: Value) -> Value | None:
    """`a | b` of dicts or sets."""
    kinds = {a.kind for a in left | right if isinstance(a, Container)}
    for value in (left, right) if kinds else ():
        copy_fields(m, reader, value, node)
    return one(Container(node, min(kinds))) if kinds else None


_TESTS = frozenset({"not", "is", "in", "==", "!=", "<", ">", "<=", ">="})
_BUILT = {"+": _concatenated, "*": _repeated, "|": _united}
_OVERLOADS = tuple(
    f"__{side}{name}__"
    for name in (
        "add",
        "sub",
        "mul",
        "matmul",
        "truediv",
        "or",
        "and",
        "xor",
        "rshift",
        "lshift",
        "mod",
        "pow",
    )
    for side in ("", "r")
)


def _sequence(m: Machine, env: Env, node: t.Sequence) -> Value:
    starred = any(isinstance(e, t.Starred) for e in node.elements)
    items = [evaluate(m, env, element) for element in node.elements]
    if node.kind == "tuple" and not starred:
        return one(TupleOf(tuple(items)))
    if node.kind == "tuple" and len(node.elements) == 1:
        return one(Container(node.id, "list")) if _fill(m, node.id, items) else OTHER
    for index, value in enumerate(items):
        m.store(node.id, "*" if starred else index, value)
    return one(Container(node.id, "list" if node.kind != "set" else "set"))


def _fill(m: Machine, site: int, items: list[Value]) -> bool:
    for value in items:
        m.store(site, "*", value)
    return True


def _dict(m: Machine, env: Env, node: t.Dict) -> Value:
    for key, value in node.items:
        found = evaluate(m, env, value)
        if key is None:
            copy_fields(m, env.frame, found, node.id)
            continue
        keys = evaluate(m, env, key)
        names = [a.value for a in keys if isinstance(a, Literal)]
        for name in names if len(names) == len(keys) else ["*"]:
            m.store(node.id, name, found)
    return one(Container(node.id, "dict"))


def copy_fields(m: Machine, reader: Frame, source: Value, site: int) -> None:
    """Copy what dicts hold into the dict made at `site`, key by key."""
    for atom in source:
        if isinstance(atom, Container):
            m.load_all(reader, atom.site)
            for key in m.fields(atom.site):
                m.store(site, key, m.load(reader, atom.site, key))


def _comprehension(m: Machine, env: Env, node: t.Comprehension) -> Value:
    from flax2optax.codemod.infer.interpret import assign

    inner = env.fork()
    for generator in node.generators:
        found = elements(m, env.frame, evaluate(m, inner, generator.iterable))
        assign(m, inner, generator.target, found)
        for condition in generator.conditions:
            evaluate(m, inner, condition)
    values = [evaluate(m, inner, element) for element in node.elements]
    key: object = "*"
    if node.kind == "dict":
        literal = next(iter(values[0]), Other()) if len(values[0]) == 1 else Other()
        key = literal.value if isinstance(literal, Literal) else "*"
    m.store(node.id, key, values[-1])
    kind = {"dict": "dict", "set": "set"}.get(node.kind, "list")
    return one(Container(node.id, kind))


def _call(m: Machine, env: Env, node: t.Call) -> Value:
    callee = evaluate(m, env, node.func)
    args = Args()
    for argument in node.args:
        value = evaluate(m, env, argument.value)
        if argument.star == "*":
            _spread(m, env, args, value, argument.value.id)
        elif argument.star == "**":
            _spread_keywords(m, env, args, value, argument.value.id)
        elif argument.keyword is not None:
            args.keywords[argument.keyword] = (value, argument.value.id)
        elif args.rest:
            args.rest = join(args.rest, value)
        else:
            args.positional.append((value, argument.value.id))
    return call(m, env, node, callee, args)


def _spread(m: Machine, env: Env, args: Args, value: Value, id_: int) -> None:
    """`*value`: item by item where the length is known."""
    only = next(iter(value), None)
    if len(value) == 1 and isinstance(only, TupleOf) and not args.rest:
        args.positional.extend((part, id_) for part in only.items)
        args.spread.add(id_)
        return
    args.rest = join(args.rest, elements(m, env.frame, value), NOTHING) or OTHER
    args.spread.add(id_)


def _spread_keywords(m: Machine, env: Env, args: Args, value: Value, id_: int) -> None:
    """`**value`: key by key where the keys are known."""
    for atom in value:
        if isinstance(atom, Container):
            m.load_all(env.frame, atom.site)
            for key in m.fields(atom.site):
                found = m.load(env.frame, atom.site, key)
                if isinstance(key, str) and key != "*":
                    old = args.keywords.get(key, (NOTHING, id_))[0]
                    args.keywords[key] = (join(old, found), id_)
                else:
                    args.keyword_rest = join(args.keyword_rest, found)
        else:
            args.keyword_rest = join(args.keyword_rest, OTHER)
    args.spread.add(id_)


def call_value(
    m: Machine, env: Env, node: t.Expression, callee: Value, values: list[Value]
) -> Value:
    """Call with plain values, as a decorator or a library does."""
    return call(m, env, node, callee, Args([(value, 0) for value in values]))


_KINDS: dict[type[t.Expression], Callable[..., Value]] = {
    t.Name: _name,
    t.Attribute: _attribute,
    t.Call: _call,
    t.Constant: _constant,
    t.Operation: _operation,
    t.Subscript: _subscript,
    t.Sequence: _sequence,
    t.Dict: _dict,
    t.Conditional: _conditional,
}
