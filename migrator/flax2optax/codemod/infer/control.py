"""JAX's control flow and gradients: functions that call a function of the program."""

from __future__ import annotations

from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args
from flax2optax.codemod.infer.containers import elements
from flax2optax.codemod.infer.library import (
    functions_in,
    invoke_all,
    is_callable,
    plain,
)
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import (
    carried,
)
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    Container,
    External,
    Gradient,
    Literal,
    Partial,
    TupleOf,
    Value,
    join,
    one,
)


def grad_of(with_value: bool) -> Callable[[Machine, Frame, t.Expression, Args], Value]:
    """`grad` and `value_and_grad`: a function whose result is known when it is called."""

    def handler(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
        aux = (
            args.get(2, "has_aux")
            if "has_aux" in args.keywords or len(args.positional) > 2
            else NOTHING
        )
        has_aux = Literal(True) in aux
        found = args.get(0, "fun")
        if not args.positional and "fun" not in args.keywords:
            keywords = tuple((k, v) for k, (v, _) in args.keywords.items())
            return one(
                Partial(
                    External("jax.value_and_grad" if with_value else "jax.grad"),
                    (),
                    keywords,
                    node.id,
                )
            )
        chosen = "argnums" in args.keywords or len(args.positional) > 1
        kept = (Gradient(a, with_value, has_aux, chosen) for a in found if is_callable(a))
        return frozenset(kept) or OTHER

    return handler


def scan(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`scan(f, init, xs)`: the carry goes round until it holds nothing new."""
    function, init, xs = args.get(0, "f"), args.get(1, "init"), args.get(2, "xs")
    items = (
        xs if carried(m, reader, xs) else OTHER
    )  # one slice of each array, in the same structure
    carry, ys = init, NOTHING
    for _ in range(3):
        result = invoke_all(m, reader, node, function, plain(carry, items))
        pairs = [a for a in result if isinstance(a, TupleOf) and len(a.items) == 2]
        grown = join(carry, *(p.items[0] for p in pairs))
        ys = join(ys, *(p.items[1] for p in pairs))
        if grown == carry:
            break
        carry = grown
    return one(TupleOf((carry, ys or OTHER)))


def fold(
    body: int, init: int, before: int
) -> Callable[[Machine, Frame, t.Expression, Args], Value]:
    """`while_loop` and `fori_loop`: where their body and their carry stand, and how many arguments come before it."""

    def handler(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
        carry = args.get(init, "init_val")
        for _ in range(3):
            front = [OTHER] * before
            grown = join(
                carry,
                invoke_all(m, reader, node, args.get(body, "body_fun"), plain(*front, carry)),
            )
            if not before:
                invoke_all(m, reader, node, args.get(0, "cond_fun"), plain(carry))
            if grown == carry:
                break
            carry = grown
        return carry

    return handler


def cond(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`cond(pred, f, g, *operands)`, and the older form with an operand for each."""
    given = [v for v, _ in args.positional]
    if (
        len(given) == 5 and not functions_in(given[1]) and functions_in(given[2])
    ):  # pred, x, f, y, g
        left = invoke_all(m, reader, node, given[2], plain(given[1]))
        return join(left, invoke_all(m, reader, node, given[4], plain(given[3])))
    operands = given[3:] or [v for k, (v, _) in args.keywords.items() if k == "operand"]
    branches = [args.get(1, "true_fun"), args.get(2, "false_fun")]
    return join(*(invoke_all(m, reader, node, b, plain(*operands)) for b in branches))


def switch(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`switch(index, branches, *operands)`."""
    operands = [v for v, _ in args.positional[2:]]
    return invoke_all(
        m, reader, node, elements(m, reader, args.get(1, "branches")), plain(*operands)
    )


def select(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`jmp.select_tree(pred, a, b)`: one of two trees, array by array."""
    return join(args.get(1, "a"), args.get(2, "b")) or OTHER


def map_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """Python's `map`."""
    items = [elements(m, reader, v) for v, _ in args.positional[1:]]
    m.store(node.id, "*", invoke_all(m, reader, node, args.get(0), plain(*items)))
    return one(Container(node.id, "list"))


def lax_map(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """JAX's map stacks the results, so their structure stays."""
    return invoke_all(m, reader, node, args.get(0, "f"), plain(args.get(1, "xs"))) or OTHER


def eval_shape(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """What a function returns, without its arrays."""
    return invoke_all(m, reader, node, args.get(0), args.after(1)) or OTHER
