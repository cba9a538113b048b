"""Annotations that name a class of flax.optim where the program has its optimizers: `-> flax.optim.Adam`."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import Node, function_around
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.values import Definition, Optimizer, Value, leaves


def is_of_optimizers(facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether what is annotated is seen to be an optimizer, or to have one inside, and no definition."""
    atoms = [atom for value in _annotated(facts, node, above) for atom in leaves(value)]
    optimizers = any(isinstance(atom, Optimizer) for atom in atoms)
    return optimizers and not any(isinstance(atom, Definition) for atom in atoms)


def _annotated(
    facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]
) -> Iterator[Value]:
    """What the parameter, result or variable holds."""
    match annotated(node, above):
        case t.AnnAssign(target=target):
            yield facts.value(target.id)
        case t.Parameter(name=name) if (function := function_around(above)) is not None:
            for frame in facts.machine.frames_of.get(function.id, ()):
                yield frame.parameters.get(name, frozenset())
        case t.Function(id=function_id):
            for frame in facts.machine.frames_of.get(function_id, ()):
                yield frame.returned


def annotated(
    node: t.Expression, above: tuple[Node, ...]
) -> t.Parameter | t.AnnAssign | t.Function | None:
    """The parameter, variable or result (its function) of whose annotation an expression is, or is part."""
    inner: Node = node
    for over in reversed(above):
        if isinstance(over, t.Parameter | t.AnnAssign) and over.annotation is inner:
            return over
        if isinstance(over, t.Function):
            return over if over.returns is inner else None
        inner = over
    return None
