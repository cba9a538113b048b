"""Taking a clip out of a step: which lines served nothing else, and what the step passes on instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, walk
from flax2optax.codemod.plan.clip_kinds import Clip
from flax2optax.codemod.plan.clip_places import Place, Scope, binding, reads, target_names
from flax2optax.codemod.plan.edits import Edit, Hole, Replace, ReplaceStatement


@dataclass(frozen=True, slots=True)
class Level:
    """One clip: `node` reads its result at `place`, `clipped` makes it (in `statement`, if any) out of `operand`."""

    node: t.Expression
    place: Place
    statement: t.Assign | None
    home: Place
    clipped: t.Call
    operand: t.Expression
    operand_place: Place
    clip: Clip
    item: int | None = None  # where the statement unpacks a tuple: which of its targets


def remove(levels: Sequence[Level], module: t.Module) -> tuple[Edit, ...] | None:
    """The edits that pass the innermost operand to what read the outermost clip; None where that is not safe."""
    return _Removal(levels, module).edits()


class _Removal:
    def __init__(self, levels: Sequence[Level], module: t.Module) -> None:
        self.levels, self.module = levels, module
        self.first, self.last = levels[0], levels[-1]
        self.scope: Scope = self.first.place.scope
        self.deleted: dict[NodeId, t.Assign] = {}
        self.unpacked: dict[NodeId, t.Name] = {}  # statements that stay for their other targets
        self.gone: set[NodeId] = set()  # nodes that the step no longer evaluates

    def edits(self) -> tuple[Edit, ...] | None:
        """Decide what goes, then what served only that, and check that nothing else needs the clipped gradients."""
        passed = self._passed()
        if passed is None or not all(map(self._alone, self.deleted_places())):
            return None
        self.gone.update(n for s in self.deleted.values() for n in _ids(s))
        self._sweep()
        if any(
            self._needed(level.statement) for level in self.levels if level.statement is not None
        ):
            return None
        return (
            *passed,
            *(Replace(name.id, ("_",)) for name in self.unpacked.values()),
            *(ReplaceStatement(s.id, s.line, ()) for s in self.deleted.values()),
        )

    def deleted_places(self) -> Iterator[Place]:
        return (
            level.home
            for level in self.levels
            if level.statement and level.statement.id in self.deleted
        )

    def _passed(self) -> tuple[Edit, ...] | None:
        """The edits of the expression that is passed on, with the clips' own statements marked as deleted."""
        statements = [level for level in self.levels if level.statement is not None]
        operand = self.last.operand
        if isinstance(operand, t.Name):
            self._delete(statements)
            if not self._unpack(statements):
                return None
            return self._named(operand, statements)
        if any(level.item is not None for level in self.levels):
            return None
        if not any(n is operand for n, _ in walk((self.last.clipped,))):
            return None
        if not statements:
            return self._unwrapped(self.first.clipped, operand)
        self._delete(statements[:-1])
        kept = statements[-1]
        unwrapped = self._unwrapped(kept.clipped, operand)
        target = kept.statement.targets[0] if kept.statement is not None else None
        if not isinstance(target, t.Name):
            return None
        found = binding(self.first.place, target.name, frozenset(self.deleted))
        if found is None or found.statement is not kept.statement:
            return None
        return (*unwrapped, *self._renamed(target.name))

    def _delete(self, levels: Sequence[Level]) -> None:
        self.deleted.update(
            (level.statement.id, level.statement)
            for level in levels
            if level.statement and level.item is None
        )

    def _unpack(self, levels: Sequence[Level]) -> bool:
        """`grads, norm = clip(grads)` becomes `_, norm = …`; a clip before that one has to stay for the norm."""
        for level in levels:
            if level.statement is not None and level.item is not None:
                if level is not self.last or any(reads(self.scope, "_")):
                    return False
                target = target_names(level.statement.targets[0])[level.item]
                self.unpacked[level.statement.id] = target
        return True

    def _named(self, operand: t.Name, statements: Sequence[Level]) -> tuple[Edit, ...] | None:
        """The operand's own name, if it still means the same where the clipped gradients were read."""
        if any(level.statement is None for level in self.levels):
            self.gone.update(_ids(self.first.node))
        without = frozenset(self.deleted) | frozenset(self.unpacked)
        here = binding(self.first.place, operand.name, without)
        there = binding(self.last.operand_place, operand.name)
        if here is None or there is None or here.key != there.key:
            return None
        return self._renamed(operand.name)

    def _renamed(self, name: str) -> tuple[Edit, ...]:
        node = self.first.node
        if isinstance(node, t.Name) and node.name == name:
            return ()
        return (Replace(node.id, (name,)),)

    def _unwrapped(self, clipped: t.Expression, operand: t.Expression) -> tuple[Edit, ...]:
        self.gone.update(_ids(clipped) - _ids(operand))
        return (Replace(clipped.id, (Hole(operand.id),)),)

    def _needed(self, statement: t.Assign) -> bool:
        """Whether anything but the next clip, or the step, may read what a statement binds."""
        consumers = {level.node.id for level in self.levels}
        return any(
            read.id not in self.gone
            and read.id not in consumers
            and self._may_see(read, place, statement)
            for target in self._taken(statement)
            for read, place in reads(self.scope, target.name)
        )

    def _taken(self, statement: t.Assign) -> list[t.Name]:
        """The names that a statement will no longer bind."""
        if statement.id in self.unpacked:
            return [self.unpacked[statement.id]]
        return target_names(statement.targets[0])

    def _may_see(self, read: t.Name, place: Place | None, statement: t.Assign) -> bool:
        if place is None:
            return True
        found = binding(place, read.name)
        if found is None or found.key[0] == "parameter":
            return False
        if found.statement is not None:
            return found.statement is statement
        return read.id > statement.id or self._in_loop()

    def _in_loop(self) -> bool:
        path = self.first.place.path
        return any(isinstance(block[index], t.For | t.While) for block, index in path)

    def _sweep(self) -> None:
        """Delete the assignments that were run for the clip, as long as one is found that nothing else reads."""
        found = {
            id_: (statement, place)
            for level in self.levels
            for id_, (statement, place) in level.clip.reading.statements.items()
            if place.scope is self.scope
        }
        again = True
        while again:
            again = False
            for id_, (statement, place) in found.items():
                if id_ not in self.deleted and self._alone(place) and not self._needed(statement):
                    if id_ in self.unpacked:
                        continue
                    if not target_names(statement.targets[0]) or self._keeps_operand(statement):
                        continue
                    self.deleted[id_] = statement
                    self.gone |= _ids(statement)
                    again = True

    def _keeps_operand(self, statement: t.Assign) -> bool:
        """Whether the gradients that are passed on now are bound here."""
        names = [n.id for n in target_names(statement.targets[0])]
        operand = self.last.operand
        if not isinstance(operand, t.Name):
            return self.last.statement is statement
        found = binding(self.last.operand_place, operand.name)
        return found is not None and found.key[-1] in names

    def _alone(self, place: Place) -> bool:
        """Whether a statement has its line for itself."""
        block, index = place.path[-1]
        line = block[index].line
        return line not in self.module.inline and sum(s.line == line for s in block) == 1


def _ids(node: Node) -> set[NodeId]:
    return {n.id for n, _ in walk((node,)) if not isinstance(n, t.Generator)}
