"""Where optimizers and functions pass through a program: every expression that may hold one, in all of its files."""

from __future__ import annotations

from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.values import (
    Atom,
    Bound,
    Definition,
    FunctionRef,
    Optimizer,
    TupleOf,
    Value,
    leaves,
    unwrapped,
)

Passage = tuple[t.Expression, tuple[Node, ...]]


@dataclass
class Passages:
    """One look through a program, by flow and by function; `tuples` have a function somewhere in them."""

    optimizers: dict[NodeId, list[Passage]] = field(default_factory=dict)
    definitions: dict[NodeId, list[Passage]] = field(default_factory=dict)
    tuples: dict[NodeId, list[Passage]] = field(default_factory=dict)
    functions: dict[NodeId, list[tuple[t.Expression, tuple[Node, ...], Atom]]] = field(
        default_factory=dict
    )


def find_passages(facts: OptimizerFacts) -> Passages:
    """Look through every file that was read."""
    found = Passages()
    for module in facts.program.modules.values():
        for node, above in everything(module):
            if isinstance(node, t.Expression) and (value := facts.value(node.id)):
                _add(found, facts, node, above, value)
    return found


def _add(
    found: Passages,
    facts: OptimizerFacts,
    node: t.Expression,
    above: tuple[Node, ...],
    value: Value,
) -> None:
    inside = tuple(leaves(value))
    roots = {facts.flows.find(atom.site) for atom in inside if isinstance(atom, Optimizer)}
    for root in roots:
        found.optimizers.setdefault(root, []).append((node, above))
    for root in {facts.flows.find(atom.site) for atom in inside if isinstance(atom, Definition)}:
        found.definitions.setdefault(root, []).append((node, above))
    if any(isinstance(atom, TupleOf) for atom in value):
        for one in {id_ for atom in inside if (id_ := inner_function(atom)) is not None}:
            found.tuples.setdefault(one, []).append((node, above))
    for atom in value:
        function = inner_function(atom)
        if function is not None:
            found.functions.setdefault(function, []).append((node, above, atom))


def inner_function(atom: Atom) -> NodeId | None:
    """The function of the program inside of bound methods, partials and transformations."""
    inner = unwrapped(atom)
    if isinstance(inner, Bound):
        return inner.function.function
    return inner.function if isinstance(inner, FunctionRef) else None
