"""Which flows a value carries: the optimizer itself, or one inside of a tuple, a container, a partial or a record."""

from __future__ import annotations

from collections.abc import Hashable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.objects import ancestors, heap_owner, is_carried
from flax2optax.codemod.infer.values import Container, Value, leaves

Roots = frozenset[NodeId]
NONE: Roots = frozenset()
_PARTS = ("state", "param_states")  # not its params, which every model reads


class Reach:
    """Answers for one program; nothing of the analysis is run again."""

    def __init__(self, facts: OptimizerFacts) -> None:
        self.facts = facts
        self._known: dict[Value, Roots] = {}

    def of(self, value: Value) -> Roots:
        """The flows of the optimizers in a value."""
        if value not in self._known:
            self._known[value] = frozenset(self._search(value))
        return self._known[value]

    def at(self, node: NodeId) -> Roots:
        """The flows of the optimizers that an expression may hold."""
        return self.of(self.facts.value(node))

    def parameters(self, function: t.Function) -> dict[str, Roots]:
        """What each parameter carries; `self` is left out, its fields tell more."""
        own = int(function.owner is not None and not _is_static(function))
        names = [one.name for one in function.parameters[own:]]
        found = dict.fromkeys(names, NONE)
        for frame in self.facts.machine.frames_of.get(function.id, ()):
            for name in names:
                found[name] |= self.of(frame.parameters.get(name, frozenset()))
        return {name: roots for name, roots in found.items() if roots}

    def returned(self, function: t.Function) -> Roots:
        """What the results of a function carry, or what a generator yields."""
        frames = self.facts.machine.frames_of.get(function.id, ())
        found = NONE.union(*(self.of(frame.returned) for frame in frames))
        return found | self.of(frozenset({Container(function.id, "iterator")}))

    def holder(self, class_id: NodeId, name: str) -> NodeId:
        """The class that a field is told under: the one that declares it, else the root of the family."""
        line = ancestors(self.facts.machine, class_id)
        declared = (c for c in line if name in self.facts.machine.fields(("declared", c)))
        return next(declared, line[-1])

    def _search(self, value: Value) -> set[NodeId]:
        flows = self.facts.flows
        found: set[NodeId] = set()
        seen: set[Hashable] = set()
        waiting = [value]
        while waiting:
            for atom in leaves(waiting.pop()):
                if is_carried(atom, _PARTS) and atom.site in flows.parent:  # type: ignore[attr-defined]
                    found.add(flows.find(atom.site))  # type: ignore[attr-defined]
                owner = heap_owner(self.facts.machine, atom)
                if owner is not None and owner not in seen:
                    seen.add(owner)
                    machine = self.facts.machine
                    waiting.extend(machine.cells[owner, key] for key in machine.fields(owner))
        return found


def _is_static(function: t.Function) -> bool:
    return any(isinstance(d, t.Name) and d.name == "staticmethod" for d in function.decorators)
