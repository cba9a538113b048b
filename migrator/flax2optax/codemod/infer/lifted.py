"""What JAX is made of: functions of trees become functions of leaves, and their results are put together again.

`wrap_init(f)` is called through `flatten_fun`, with the arguments whose structure that is given; `out_tree()` is the
structure of what it returns. In between JAX knows leaves alone, and no field of any object.
"""

from __future__ import annotations

from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args
from flax2optax.codemod.infer.containers import elements, item
from flax2optax.codemod.infer.internals import RESULT, WRAPPED
from flax2optax.codemod.infer.library import call_back, functions_in, invoke_all, returned
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import STRUCTURE
from flax2optax.codemod.infer.values import (
    OTHER,
    Container,
    External,
    Literal,
    Partial,
    TupleOf,
    Value,
    join,
    one,
)

MAX_FREE_CHOICE = 8
_Spread = Callable[[Machine, Frame, Value], Args]


def wrap_init(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`wrap_init(f)`."""
    return one(Partial(External(WRAPPED), (args.get(0, "f"),), (), node.id))


def with_static(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`argnums_partial(f, dyn_argnums, args)`: it puts each argument where it was; and those that are left."""
    given = args.get(2, "args")
    wrapped = frozenset(
        Partial(a.function, (a.args[0], given), (), node.id) for a in _of(args.get(0, "f"), WRAPPED)
    )
    return one(TupleOf((wrapped or OTHER, _chosen(m, reader, node, given))))


def _chosen(m: Machine, reader: Frame, node: t.Expression, given: Value) -> Value:
    """Some of the items of a tuple, in their order."""
    only = next(iter(given), None)
    if len(given) == 1 and isinstance(only, Container) and only.kind == "list":
        return given
    if len(given) != 1 or not isinstance(only, TupleOf) or len(only.items) > MAX_FREE_CHOICE:
        m.store(node.id, "*", elements(m, reader, given))
        return one(Container(node.id, "list"))
    row = only.items
    lengths = range(len(row) + 1)
    return frozenset(
        TupleOf(tuple(join(*row[at : at + len(row) - count + 1]) for at in range(count)))
        for count in lengths
    )


def flatten_fun(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`flatten_fun(f, in_tree)`: the function is called with a tuple and a dict of arguments."""
    return _flattened(m, reader, node, args, _with_keywords)


def flatten_fun_nokwargs(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`flatten_fun_nokwargs(f, in_tree)`: the function is called with a tuple of arguments."""
    return _flattened(m, reader, node, args, _in_order)


def _flattened(m: Machine, reader: Frame, node: t.Expression, args: Args, spread: _Spread) -> Value:
    trees = join(*(a.args[0] for a in _of(args.get(1, "in_tree"), STRUCTURE)))
    ways = [(a.args[0], a.args[1:]) for a in _of(args.get(0, "f"), WRAPPED)]
    some_are_static = any(static for _, static in ways)
    found = [
        (function, spread(m, reader, static[0] if static else _longest(trees, some_are_static)))
        for function, static in ways
    ]
    sure = [(function, given) for function, given in found if not given.rest]
    result = join(*(_invoked(m, reader, node, *way) for way in sure or found))
    return one(TupleOf((OTHER, one(Partial(External(RESULT), (result,), (), node.id)))))


def _invoked(m: Machine, reader: Frame, node: t.Expression, function: Value, given: Args) -> Value:
    """Call the functions of the program in a value, or whatever else it is where there are none.

    Where nobody is seen to call a wrapper, there are no arguments for the function inside either.
    """
    if not (given.positional or given.keywords or given.rest or given.keyword_rest):
        call_back(m, reader, node, Args([(function, 0)]))
        return join(*(returned(m, reader, atom) for atom in functions_in(function)))
    return invoke_all(m, reader, node, frozenset(functions_in(function)) or function, given)


def _longest(trees: Value, some_are_static: bool) -> Value:
    """The arguments of a function that is given all of them, beside the case where only some are left to give."""
    rows = [a for a in trees if isinstance(a, TupleOf)]
    if not some_are_static or not rows:
        return trees
    return one(max(rows, key=lambda row: len(row.items)))


def _in_order(m: Machine, reader: Frame, given: Value) -> Args:
    """The arguments in a tuple; anything else has them in an order that is not known."""
    only = next(iter(given), None)
    if len(given) == 1 and isinstance(only, TupleOf):
        return Args([(value, 0) for value in only.items])
    return Args(rest=elements(m, reader, given) or OTHER)


def _with_keywords(m: Machine, reader: Frame, given: Value) -> Args:
    """The arguments in a pair of a tuple and a dict."""
    args = _in_order(m, reader, item(m, reader, given, one(Literal(0)), False, 0))
    for atom in item(m, reader, given, one(Literal(1)), False, 0):
        if not isinstance(atom, Container):
            continue
        for key in m.fields(atom.site):
            value = m.load(reader, atom.site, key)
            if isinstance(key, str) and key != "*":
                args.keywords[key] = (value, 0)
            else:
                args.keyword_rest = join(args.keyword_rest, value)
    return args


def out_tree(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`out_tree()`: the structure of what the function returned."""
    return one(Partial(External(STRUCTURE), (args.get(0),), (), node.id))


def same_function(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`HashableFunction(f, closure)`: it is called like the function."""
    return args.get(0, "f") or OTHER


def _of(value: Value, name: str) -> list[Partial]:
    return [a for a in value if isinstance(a, Partial) and a.function == External(name)]
