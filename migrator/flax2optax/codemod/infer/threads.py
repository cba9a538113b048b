"""Functions that run on another thread: pools, executors, `Thread(target=…)`."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args
from flax2optax.codemod.infer.library import functions_in, invoke
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import carried
from flax2optax.codemod.infer.values import NOTHING, OTHER, TupleOf, Value, join

# Methods of `multiprocessing.pool` and `concurrent.futures`; whatever has one of these names calls what it is given.
LISTED = frozenset({"apply_async", "apply"})  # (function, arguments, keywords)
SPREAD = frozenset({"submit"})  # (function, *arguments, **keywords)
STARTED = frozenset({"threading.Thread", "multiprocessing.Process"})  # target=function, args=…


def deferred(m: Machine, reader: Frame, node: t.Expression, name: str, args: Args) -> Value | None:
    """What a thread or a pool's method makes of a function of the program; None where it is something else."""
    last = name.rsplit(".", 1)[-1]
    if name in STARTED:
        function, given = args.get(1, "target"), args.get(3, "args")
    elif last in LISTED:
        function, given = args.get(0, "func"), args.get(1, "args")
    else:
        function, given = args.get(0, "fn"), NOTHING
    if not functions_in(function):
        return None
    inner = args.after(1) if last in SPREAD else _listed(given)
    if inner is None or args.rest or args.keyword_rest:
        return None
    result = join(*(invoke(m, reader, node, atom, inner) for atom in function))
    return None if carried(m, reader, result) else OTHER


def is_deferring(node: t.Expression) -> bool:
    """Whether a call is of a method that may call its first argument later."""
    func = node.func if isinstance(node, t.Call) else None
    return isinstance(func, t.Attribute) and func.attr in LISTED | SPREAD


def _listed(given: Value) -> Args | None:
    """The arguments in a tuple."""
    only = next(iter(given), None)
    if len(given) != 1 or not isinstance(only, TupleOf):
        return None if given else Args()
    return Args([(item, 0) for item in only.items])
