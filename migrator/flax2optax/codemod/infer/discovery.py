"""Files that turn out to be needed while the first ones are read: which, and how they come into the analysis."""

from __future__ import annotations

from collections.abc import Hashable

from flax2optax.codemod.infer.carriers import Carriers
from flax2optax.codemod.infer.machine import Machine
from flax2optax.codemod.infer.neighbours import importers, overridden, touched
from flax2optax.codemod.infer.objects import ancestors
from flax2optax.codemod.infer.values import OTHER


def needed(m: Machine, opened: set[str]) -> tuple[str, ...]:
    """The files that an optimizer goes into, and those that import what it passes through."""
    program, carriers = m.program, Carriers(m)
    through = touched(m, carriers)
    inherited, methods = overridden(m, carriers)
    wanted = (m.wanted | through.keys()) - opened - program.absent_modules.keys()
    near = importers(program, through, opened)
    heirs = importers(program, inherited, opened, methods) if inherited else []
    return tuple(dict.fromkeys((*near, *heirs, *sorted(wanted))))


def extend(m: Machine, paths: tuple[str, ...]) -> None:
    """Open files, and run what would have read them.

    What was known before stays known: the analysis is complete, but less exact than one that starts with these files.
    """
    before = {class_id: ancestors(m, class_id) for class_id in m.classes}
    for path in paths:
        m.open.add(path)
        m.store(("opened", path), "*", OTHER)
        m.ensure(m.module_frame(path))
    m.settle()
    _inherit(m, before)


def _inherit(m: Machine, before: dict[int, list[int]]) -> None:
    """Classes whose base has been opened share its fields, and have its methods."""
    changed: set[Hashable] = set()
    for class_id, old in before.items():
        new = ancestors(m, class_id)
        if new == old:
            continue
        fields = ("fields", old[-1])
        changed |= {("class", class_id), fields}
        for key in m.fields(fields) if new[-1] != old[-1] else ():
            m.store(("fields", new[-1]), key, m.cells[fields, key])
    if changed:
        m.wake_readers(changed)
