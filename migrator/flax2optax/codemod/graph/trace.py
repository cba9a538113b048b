"""The way of each optimizer through the program: what happens where, and from where to where it goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flax2optax.codemod.graph.reach import NONE, Reach, Roots
from flax2optax.codemod.graph.shape import Does, How
from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything, function_around
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.library import functions_in
from flax2optax.codemod.infer.tables import RESTORE, SAVES
from flax2optax.codemod.infer.values import (
    External,
    FunctionRef,
    Instance,
    OptimizerClass,
    Value,
    unwrapped,
)
from flax2optax.codemod.plan.occurrences import Occurrence, occurrences

Scope = t.Function | t.Module
# A function, the top level of a module by its base, or a field of a class.
Key = tuple[NodeId, str]
_USES = {
    "construct": Does.MAKES,
    "create": Does.CREATES,
    "create_indirect": Does.CREATES,
    "apply": Does.STEPS,
    "target": Does.PARAMS,
    "replace": Does.CHANGES,
}
_STEPPING = frozenset({"optimize"})
_SAVES = SAVES | {"flax.serialization.to_state_dict"}


@dataclass(slots=True)
class Passage:
    """Where one flow passes: roles by station, moves by their ends."""

    roles: dict[Key, dict[tuple[Does, str], dict[NodeId, None]]] = field(default_factory=dict)
    moves: dict[tuple[Key, Key, How, str], bool] = field(default_factory=dict)
    stored: dict[Key, NodeId] = field(default_factory=dict)  # a field's first assignment

    def role(self, key: Key, does: Does, what: str = "", at: NodeId = 0) -> None:
        """Record that something happens at a station, at a node if that tells more."""
        at_once = self.roles.setdefault(key, {}).setdefault((does, what), {})
        if at:
            at_once[at] = None

    def move(self, source: Key, target: Key, how: How, by: str = "", *, back: bool = False) -> None:
        """Record a move; both ends are stations from now on."""
        if source == target:
            return
        self.roles.setdefault(source, {})
        self.roles.setdefault(target, {})
        way = (source, target, how, by)
        self.moves[way] = self.moves.get(way, False) or back


def trace(facts: OptimizerFacts) -> dict[NodeId, Passage]:
    """Follow every flow; the keys are their roots."""
    tracer = _Tracer(facts, Reach(facts))
    for module in list(facts.program.modules.values()):
        tracer.module(module)
    return tracer.passages


def scope_of(above: tuple[Node, ...], module: t.Module) -> Scope:
    """The innermost function around a node, else its module."""
    return function_around(above) or module


def key_of(scope: Scope) -> Key:
    """The station of a scope."""
    return (scope.base if isinstance(scope, t.Module) else scope.id), ""


@dataclass(slots=True)
class _Tracer:
    facts: OptimizerFacts
    reach: Reach
    passages: dict[NodeId, Passage] = field(default_factory=dict)

    def module(self, module: t.Module) -> None:
        for use in occurrences(self.facts, module):
            self._use(use, module)
        for statement in module.imports:
            self._import(statement, module)
        for function in module.functions:
            self._function(function)
        for node, above in everything(module):
            if isinstance(node, t.Expression) and not isinstance(above[-1], t.Parameter):
                self._expression(node, above, scope_of(above, module), module)

    def _to(self, roots: Roots) -> Iterator[Passage]:
        for root in sorted(roots):
            yield self.passages.setdefault(root, Passage())

    def _use(self, use: Occurrence, module: t.Module) -> None:
        stepping = use.kind == "method" and use.name in _STEPPING
        does = Does.STEPS if stepping else _USES.get(use.kind)
        if use.flow is None or does is None:
            return
        what = self._class_name(use.node.id) if does is Does.MAKES else ""
        for passage in self._to(frozenset({self.facts.flows.find(use.flow)})):
            passage.role(key_of(scope_of(use.above, module)), does, what, use.node.id)

    def _class_name(self, node: NodeId) -> str:
        classes = sorted(set(map(self._named, self.facts.classes(node))))
        return " or ".join(classes)

    def _named(self, atom: OptimizerClass) -> str:
        class_ = self.facts.machine.classes.get(atom.class_)
        if class_ is not None:
            return class_.name
        return "a computed class" if atom.name == "*" else atom.name

    def _function(self, function: t.Function) -> None:
        for name, roots in self.reach.parameters(function).items():
            for passage in self._to(roots):
                passage.role(key_of(function), Does.TAKES, name)
        for passage in self._to(self.reach.returned(function)):
            passage.role(key_of(function), Does.RETURNS)

    def _import(self, statement: t.Import, module: t.Module) -> None:
        program = self.facts.program
        path = program.resolve(module.path, statement) if statement.is_from else None
        if path is None or path not in program.modules:
            return
        source = key_of(program.modules[path])
        for alias in statement.aliases:
            for passage in self._to(self.reach.at(alias.id)):
                passage.move(source, key_of(module), How.IMPORT)

    def _expression(
        self, node: t.Expression, above: tuple[Node, ...], scope: Scope, module: t.Module
    ) -> None:
        if isinstance(node, t.Call):
            self._call(node, scope)
        elif isinstance(node, t.Attribute):
            self._attribute(node, above, scope)
        elif isinstance(node, t.Name) and isinstance(scope, t.Function):
            if node.name not in scope.locals:
                self._closure(node, scope, module)
        self._bound(node.id, scope)

    def _call(self, node: t.Call, scope: Scope) -> None:
        given = NONE.union(*(self.reach.at(one.value.id) for one in node.args))
        if self.facts.machine.callees.get(node.id):
            self._callees(node.id, given | self.reach.at(node.func.id), scope)
            return
        callee = self.facts.value(node.func.id)
        names = {a.name for a in callee if isinstance(a, External)}
        if given and names:
            self._library(node, given, names, scope)

    def _callees(self, node: NodeId, given: Roots, scope: Scope) -> None:
        machine = self.facts.machine
        taken = self.reach.at(node)
        for id_, _, _ in sorted(machine.callees.get(node, ())):
            callee = machine.functions[id_]
            takes = NONE.union(*self.reach.parameters(callee).values())
            gives = self.reach.returned(callee) & taken
            for root in sorted((given & takes) | gives):
                for passage in self._to(frozenset({root})):
                    if root in given & takes:
                        passage.move(key_of(scope), key_of(callee), How.CALL, back=root in gives)
                    else:
                        passage.move(key_of(callee), key_of(scope), How.CALL)

    def _library(self, node: t.Call, given: Roots, names: set[str], scope: Scope) -> None:
        for does, known in ((Does.SAVES, _SAVES), (Does.RESTORES, RESTORE)):
            if not names.isdisjoint(known):
                for passage in self._to(given):
                    passage.role(key_of(scope), does, at=node.id)
        by = min(names).rsplit(".", 1)[-1]
        for function in self._functions(node):
            takes = NONE.union(*self.reach.parameters(function).values())
            returned = self.reach.returned(function)
            for root in sorted(given & takes):
                for passage in self._to(frozenset({root})):
                    back = root in returned & self.reach.at(node.id)
                    passage.move(key_of(scope), key_of(function), How.CALLBACK, by, back=back)

    def _functions(self, node: t.Call) -> Iterator[t.Function]:
        for argument in node.args:
            for atom in functions_in(self.facts.value(argument.value.id)):
                inner = unwrapped(atom)
                if isinstance(inner, FunctionRef):
                    yield self.facts.machine.functions[inner.function]

    def _attribute(self, node: t.Attribute, above: tuple[Node, ...], scope: Scope) -> None:
        roots = self.reach.at(node.id)
        if not roots:
            return
        if self.facts.machine.callees.get(node.id):  # a property
            self._callees(node.id, NONE, scope)
            return
        stored = _is_target(node, above)
        for class_id in _classes(self.facts.value(node.value.id)):
            self._field(class_id, node.attr, roots, scope, node.id if stored else 0)

    def _field(
        self, class_id: NodeId, name: str, roots: Roots, scope: Scope, stored: NodeId
    ) -> None:
        machine = self.facts.machine
        holder = self.reach.holder(class_id, name)
        told = f"{machine.classes[holder].name}.{name}"
        station, here = (holder, name), key_of(scope)
        for passage in self._to(roots):
            passage.role(here, Does.STORES if stored else Does.READS, told)
            ends = (here, station) if stored else (station, here)
            passage.move(*ends, How.FIELD)
            if stored:
                passage.stored[station] = min(stored, passage.stored.get(station, stored))

    def _bound(self, node: NodeId, scope: Scope) -> None:
        """An argument that a record keeps in a field."""
        machine = self.facts.machine
        for owner, name in machine.bindings.get(node, ()):
            roots = self.reach.at(node) if owner in machine.classes else NONE
            if roots:
                self._field(owner, name, roots, scope, node)

    def _closure(self, node: t.Name, scope: t.Function, module: t.Module) -> None:
        roots = self.reach.at(node.id)
        outer = scope.parent
        while outer is not None and node.name not in outer.locals:
            outer = outer.parent
        if not roots or (outer is not None and _is_self(node.name, outer)):
            return
        for passage in self._to(roots):
            passage.role(key_of(scope), Does.CLOSES_OVER, node.name)
            passage.move(key_of(outer or module), key_of(scope), How.CLOSURE)


def _is_self(name: str, method: t.Function) -> bool:
    return method.owner is not None and name in {one.name for one in method.parameters[:1]}


def _classes(value: Value) -> list[NodeId]:
    return sorted({a.class_ for a in value if isinstance(a, Instance)})


def _is_target(node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether something is assigned to a node, alone or among others."""
    top: Node = node
    for over in reversed(above):
        if isinstance(over, t.Assign):
            return any(target is top for target in over.targets)
        if isinstance(over, t.AnnAssign):
            return over.target is top and over.value is not None
        if not isinstance(over, t.Sequence | t.Starred):
            return isinstance(over, t.For | t.Generator) and over.target is top
        top = over
    return False
