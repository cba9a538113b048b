"""Flows: sites whose optimizers meet anywhere in the program, migrated together or not at all."""

from __future__ import annotations

from collections.abc import Iterable

from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.absent_records import inside
from flax2optax.codemod.infer.machine import Machine
from flax2optax.codemod.infer.values import Definition, Optimizer, Part, Value, leaves


class Union:
    """Disjoint sets of sites."""

    def __init__(self) -> None:
        self.parent: dict[NodeId, NodeId] = {}

    def find(self, site: NodeId) -> NodeId:
        """The representative of a site's set."""
        parent = self.parent.setdefault(site, site)
        while parent != self.parent[parent]:
            self.parent[parent] = self.parent[self.parent[parent]]
            parent = self.parent[parent]
        return parent

    def join(self, sites: Iterable[NodeId]) -> None:
        """Put sites into one set; the smallest id represents it."""
        roots = sorted({self.find(site) for site in sites})
        for root in roots[1:]:
            self.parent[root] = roots[0]


def sites(value: Value) -> set[NodeId]:
    """Sites of the optimizers, definitions and states in a value."""
    return {a.site for a in leaves(value) if isinstance(a, Optimizer | Definition | Part)}


def direct_sites(value: Value) -> set[NodeId]:
    """Sites a value may itself be, not those inside tuples."""
    return {a.site for a in value if isinstance(a, Optimizer | Definition | Part)}


def flows(m: Machine) -> Union:
    """Join the sites that meet in an expression, a cell, a parameter or a definition."""
    union = Union()
    for value in (*m.values.values(), *m.cells.values()):
        for part in _parts(value):
            found = direct_sites(part)
            if found:
                union.join(found)
    for class_id in m.absent_classes:
        union.join(sites(inside(m, class_id)))
    for owner, value in m.owned_cells():
        if isinstance(owner, tuple) and owner[0] in ("definition", "inner"):
            union.join({owner[1], *sites(value)})
    return union


def _parts(value: Value) -> Iterable[Value]:
    from flax2optax.codemod.infer.values import TupleOf

    yield value
    for atom in value:
        if isinstance(atom, TupleOf):
            for item in atom.items:
                yield from _parts(item)
