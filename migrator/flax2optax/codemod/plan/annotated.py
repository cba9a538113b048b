"""Annotations that name a class of flax.optim where the program has its optimizers: `-> flax.optim.Adam`."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import Node
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
    name = None
    inner: Node = node
    for over in reversed(above):
        match over:
            case t.AnnAssign(annotation=annotation, target=target) if annotation is inner:
                yield facts.value(target.id)
                return
            case t.Parameter(annotation=annotation) if annotation is inner:
                name = over.name
            case t.Function():
                for frame in facts.machine.frames_of.get(over.id, ()):
                    yield frame.parameters.get(name, frozenset()) if name else frame.returned
                return
        inner = over
