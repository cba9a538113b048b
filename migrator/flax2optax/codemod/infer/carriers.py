"""Which containers and records hold an optimizer, found once for a whole heap that stands still."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from flax2optax.codemod.infer.machine import Machine
from flax2optax.codemod.infer.objects import heap_owner, is_carried
from flax2optax.codemod.infer.values import Value, leaves


class Carriers:
    """What `carries(…, instances=True)` answers for each value, without a walk for each."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.owners: set[Hashable] = set()
        self.known: dict[Value, bool] = {}
        above: dict[Hashable, list[Hashable]] = {}
        waiting: list[Hashable] = []
        for owner, whole in m.wholes.items():
            for atom in leaves(whole):
                if is_carried(atom):
                    waiting.append(owner)
                elif (inner := heap_owner(m, atom)) is not None:
                    above.setdefault(inner, []).append(owner)
        while waiting:
            owner = waiting.pop()
            if owner not in self.owners:
                self.owners.add(owner)
                waiting.extend(above.get(owner, ()))

    def hold(self, value: Value) -> bool:
        """Whether an optimizer, its definition or its state is in a value, or in a field of what is in it."""
        known = self.known.get(value)
        if known is None:
            known = self.known[value] = any(self._holding(value))
        return known

    def _holding(self, value: Value) -> Iterator[bool]:
        for atom in leaves(value):
            yield is_carried(atom) or heap_owner(self.m, atom) in self.owners
