"""The plan and the ways of its flows to a `Graph`: names, lines, and what became of each flow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flax2optax.codemod.collect.notebook import NotebookEncode
from flax2optax.codemod.graph.shape import (
    Does,
    Fate,
    Flow,
    Graph,
    Kind,
    Move,
    Place,
    Role,
    Station,
    Stop,
)
from flax2optax.codemod.graph.trace import Key, Passage, Scope, key_of, scope_of, trace
from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.places import Places
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import everything
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.plan.decide import groups
from flax2optax.codemod.plan.edits import Finding, FlowPlan, MigrationPlan
from flax2optax.codemod.summary.reasons import Reason, reasons

_ORDER = tuple(Does)


def chart(facts: OptimizerFacts, planned: MigrationPlan, places: Places) -> Graph:
    """Return every flow of one program, in the order of the plan."""
    drawing = _Drawing(facts, places)
    passages = trace(facts)
    flows: dict[str, Flow] = {}
    beside: list[Stop] = []
    for group in groups(planned.flows):
        why = reasons(group, places)
        for flow in group:
            if flow.root in passages:
                flows[flow.id] = drawing.flow(flow, passages[flow.root], why.get(flow.id))
            else:
                beside.extend(drawing.stops(flow))
    ordered = (flows[flow.id] for flow in planned.flows if flow.id in flows)
    told = tuple(sorted(beside, key=lambda one: one.place))
    return Graph(tuple(ordered), told, tuple(_unread(places)))


def joined(graphs: Iterable[Graph]) -> Graph:
    """Several programs in one graph."""
    found = tuple(graphs)
    return Graph(
        tuple(flow for one in found for flow in one.flows),
        tuple(stop for one in found for stop in one.beside),
        tuple(stop for one in found for stop in one.unread),
    )


def _unread(places: Places) -> Iterator[Stop]:
    for path, failure in places.program.failures.items():
        if path in places.files.named:
            place = Place(places.files[path].display, failure.line)
            yield Stop("FXO003", place, f"the file does not parse: {failure}")


@dataclass(slots=True)
class _Drawing:
    """Node numbers to names and lines."""

    facts: OptimizerFacts
    places: Places
    _scopes: dict[str, tuple[list[NodeId], list[Scope]]] = field(default_factory=dict)

    def flow(self, plan: FlowPlan, passage: Passage, reason: Reason | None) -> Flow:
        stops = self.stops(plan)
        blocked: dict[Key, dict[str, None]] = {}
        for finding in (*_blocking(plan), *plan.held):
            key = key_of(self._scope(finding.node))
            passage.roles.setdefault(key, {})
            blocked.setdefault(key, {})[finding.code] = None
        where = {key: self._place(key, passage) for key in passage.roles}
        keys = sorted(where, key=lambda key: (where[key], key))
        numbers = {key: number for number, key in enumerate(keys, 1)}
        moves = [
            Move(numbers[source], numbers[target], how, back, by)
            for (source, target, how, by), back in passage.moves.items()
        ]
        return Flow(
            plan.id,
            _optimizers(passage),
            _fate(plan, reason),
            plan.form,
            len(plan.edits),
            tuple(sorted(self.places.files[path].display for path in plan.files)),
            stops,
            reason.text if reason is not None and not stops else "",
            tuple(self._station(key, numbers[key], passage, blocked.get(key, {})) for key in keys),
            tuple(sorted(moves, key=lambda move: (move.source, move.target, move.how, move.by))),
        )

    def stops(self, plan: FlowPlan) -> tuple[Stop, ...]:
        """What stops a flow, and what of it the user wants to keep."""
        told = [(one, one.message) for one in _blocking(plan)]
        told += [(one, f"{one.code} is answered or not selected here") for one in plan.held]
        found = {Stop(one.code, self._at(one.node), text) for one, text in told}
        return tuple(sorted(found, key=lambda stop: (stop.place, stop.code)))

    def _station(self, key: Key, number: int, passage: Passage, codes: Iterable[str]) -> Station:
        roles = [
            Role(does, what, tuple(sorted({self._at(node) for node in nodes})))
            for (does, what), nodes in passage.roles[key].items()
        ]
        roles.sort(key=lambda role: (_ORDER.index(role.does), role.at, role.what))
        kind, name = self._name(key)
        return Station(
            number, kind, name, self._place(key, passage), tuple(roles), tuple(sorted(codes))
        )

    def _name(self, key: Key) -> tuple[Kind, str]:
        id_, name = key
        machine = self.facts.machine
        if name:
            return Kind.FIELD, f"{machine.classes[id_].name}.{name}"
        if id_ in machine.functions:
            return Kind.FUNCTION, _qualified(machine.functions[id_])
        return Kind.MODULE, "(top level)"

    def _place(self, key: Key, passage: Passage) -> Place:
        id_, name = key
        machine = self.facts.machine
        if name:
            return self._at(machine.field_sites.get(key, passage.stored.get(key, id_)))
        if id_ in machine.functions:
            return self._at(machine.functions[id_].name_id)
        return Place(self.places.files[self.places.path(id_)].display, 1)

    def _at(self, node: NodeId) -> Place:
        location = self.places.location(node)
        encode = self.places.files[self.places.path(node)].encode
        if isinstance(encode, NotebookEncode) and encode.cells:
            cell, line = encode.place(location.line)
            return Place(location.path, line, cell)
        return Place(location.path, location.line)

    def _scope(self, node: NodeId) -> Scope:
        """The function or module around a node that may be a mere token."""
        module = self.facts.program.owner(node)
        if module.path not in self._scopes:
            pairs = sorted(
                (
                    (inner.id, scope_of(above, module))
                    for inner, above in everything(module)
                    if not isinstance(inner, t.Generator)
                ),
                key=lambda pair: pair[0],
            )
            self._scopes[module.path] = [id_ for id_, _ in pairs], [scope for _, scope in pairs]
        ids, scopes = self._scopes[module.path]
        index = bisect_right(ids, node) - 1
        return scopes[index] if index >= 0 else module


def _blocking(plan: FlowPlan) -> list[Finding]:
    return [one for one in plan.findings if one.blocks]


def _optimizers(passage: Passage) -> tuple[str, ...]:
    made = {what for roles in passage.roles.values() for does, what in roles if does is Does.MAKES}
    return tuple(sorted(made))


def _fate(plan: FlowPlan, reason: Reason | None) -> Fate:
    if plan.applied:
        return Fate.UNSAFE if plan.assumed else Fate.MIGRATES
    return Fate.UNSAFE if reason is not None and not reason.stopped else Fate.STAYS


def _qualified(function: t.Function) -> str:
    """`Class.method`, `outer.inner`; a lambda has no name of its own."""
    parts = [function.name.strip("<>")]
    around: t.Function | t.Class | None = function.owner or function.parent
    while around is not None:
        parts.append(around.name.strip("<>"))
        around = around.owner or around.parent
    return ".".join(reversed(parts))
