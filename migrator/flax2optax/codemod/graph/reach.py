"""Which flows a value carries: the optimizer itself, or one inside of a tuple, a container, a partial or a record."""

from __future__ import annotations

from collections.abc import Hashable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.machine import Frame
from flax2optax.codemod.infer.objects import ancestors, family
from flax2optax.codemod.infer.values import (
    Atom,
    Container,
    Definition,
    Instance,
    Optimizer,
    Part,
    Value,
    leaves,
)

Roots = frozenset[NodeId]
NONE: Roots = frozenset()


class Reach:
    """Answers for one program; nothing of the analysis is run again."""

    def __init__(self, facts: OptimizerFacts) -> None:
        self.facts = facts
        self._known: dict[Value, Roots] = {}
        self._frames: dict[NodeId, list[Frame]] = {}
        for frame in facts.machine.frames:
            key = frame.function.id if frame.function is not None else frame.module.base
            self._frames.setdefault(key, []).append(frame)

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
        for frame in self._frames.get(function.id, ()):
            for name in names:
                found[name] |= self.of(frame.parameters.get(name, frozenset()))
        return {name: roots for name, roots in found.items() if roots}

    def returned(self, function: t.Function) -> Roots:
        """What the results of a function carry, or what a generator yields."""
        frames = self._frames.get(function.id, ())
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
                if _is_optimizer(atom) and atom.site in flows.parent:  # type: ignore[attr-defined]
                    found.add(flows.find(atom.site))  # type: ignore[attr-defined]
                owner = self._owner(atom)
                if owner is not None and owner not in seen:
                    seen.add(owner)
                    machine = self.facts.machine
                    waiting.extend(machine.cells[owner, key] for key in machine.fields(owner))
        return found

    def _owner(self, atom: Atom) -> Hashable:
        match atom:
            case Container(site=site):
                return site
            case Instance(class_=class_id):
                return family(self.facts.machine, class_id)
        return None


def _is_static(function: t.Function) -> bool:
    return any(isinstance(d, t.Name) and d.name == "staticmethod" for d in function.decorators)


def _is_optimizer(atom: Atom) -> bool:
    """The object, its definition or its state; not its params, which every model reads."""
    if isinstance(atom, Part):
        return atom.kind in ("state", "param_states")
    return isinstance(atom, Optimizer | Definition)
