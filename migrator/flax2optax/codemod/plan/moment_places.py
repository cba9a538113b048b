"""Places where moments by parameter may be changed in place: what is read of Optax's state is made anew, so it would be lost."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, walk
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.objects import carried
from flax2optax.codemod.infer.tables import (
    ARRAYS,
    HARMLESS,
    HARMLESS_METHODS,
    LEAVES,
    SAME,
    SAVES,
    TREE_MAP,
)
from flax2optax.codemod.infer.values import (
    Atom,
    Attr,
    Bound,
    ClassRef,
    External,
    FunctionRef,
    Gradient,
    Partial,
    Transformed,
    Value,
    unwrapped,
)

_CHANGES = frozenset({
    "update", "pop", "popitem", "setdefault", "clear", "__setitem__", "__delitem__", "__ior__",
})  # fmt: skip
# Functions of libraries that only read a tree, or make another one; what they return of it is followed.
_READS = SAME | TREE_MAP | LEAVES | HARMLESS | SAVES | ARRAYS | frozenset(
    f"builtins.{name}"
    for name in ("enumerate", "hasattr", "isinstance", "next", "repr", "set", "str", "sum", "zip")
)  # fmt: skip
_READING = ("jax.", "numpy.", "flax.core.", "flax.serialization.", "flax.traverse_util.")
_FOLLOWED = FunctionRef | Bound | ClassRef | Transformed | Gradient | Attr


def changed_moments(
    facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]
) -> NodeId | None:
    """The flow whose moments may be changed at a node."""
    return min(_changed(facts, node, above), default=None)


def is_stored(node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether an expression is what a statement binds, adds to or deletes."""
    for over in reversed(above):
        match over:
            case t.Sequence() | t.Starred():
                continue
            case t.Assign(targets=targets) | t.Delete(targets=targets):
                return any(inner is node for inner, _ in walk(targets))
            case t.AugAssign(target=target) | t.AnnAssign(target=target):
                return target is node
            case t.For(target=target) | t.Generator(target=target):
                return any(inner is node for inner, _ in walk((target,)))
            case t.With(items=items):
                return any(
                    inner is node for _, target in items if target for inner, _ in walk((target,))
                )
        return False
    return False


def _changed(
    facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]
) -> Iterator[NodeId]:
    over = above[-1] if above else None
    if isinstance(over, t.AugAssign) and over.target is node:
        yield from _moments(facts, facts.value(node.id))
    if isinstance(node, t.Attribute | t.Subscript):
        called = isinstance(over, t.Call) and over.func is node
        method = isinstance(node, t.Attribute) and node.attr in _CHANGES
        if method or (is_stored(node, above) and not called):
            yield from _moments(facts, facts.value(node.value.id), inside=False)
    if isinstance(node, t.Call) and not _only_reads(facts, node):
        for argument in node.args:
            yield from _moments(facts, facts.value(argument.value.id))


def _moments(facts: OptimizerFacts, value: Value, *, inside: bool = True) -> set[NodeId]:
    m = facts.machine
    found = carried(m, m.frames[0], value, kinds=("param_states",)) if inside else value
    return {a.site for a in found if getattr(a, "kind", "") == "param_states"}  # type: ignore[attr-defined]


def _only_reads(facts: OptimizerFacts, call: t.Call) -> bool:
    """Whether a call leaves the trees it is given as they are, or is followed into the function."""
    if isinstance(call.func, t.Attribute) and call.func.attr in HARMLESS_METHODS:
        return True
    callee = facts.value(call.func.id)
    return bool(callee) and all(map(_leaves_alone, callee))


def _leaves_alone(atom: Atom) -> bool:
    inner = unwrapped(atom) if isinstance(atom, Partial) else atom
    if isinstance(inner, External):
        return inner.name in _READS or inner.name.startswith(_READING)
    return isinstance(inner, _FOLLOWED)
