"""Steps of optimizers that nobody is seen to make, in programs with optimizer classes of their own.

An optimizer of the program's own class takes what a step overrides as an argument of `update`; flax's apply a rate last.
Where one may be the other, the step would be written for the wrong one.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping

from flax2optax.codemod.index.tree import Class, NodeId
from flax2optax.codemod.infer.neighbours import connected
from flax2optax.codemod.infer.objects import optimizer_base
from flax2optax.codemod.infer.values import OptimizerClass
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.rates import FlowFacts


def stop_guessed_steps(
    draft: Draft, known: Mapping[NodeId, FlowFacts], trained: set[NodeId]
) -> None:
    """Stop such steps, and the classes whose objects may come there because nobody is seen to make any."""
    classes = _own_classes(draft)
    guessed = dict(_guessed(draft, known, trained)) if classes else {}
    numbers = connected(draft.facts.program) if guessed else {}
    made = _made(draft)
    for class_ in classes:
        for root, site in guessed.items():
            path = draft.facts.program.owner(site).path
            if _are_near(class_.module.path, path, numbers):
                _stop(draft, class_, root, site, seen=class_.id in made)


def _own_classes(draft: Draft) -> list[Class]:
    m = draft.facts.machine
    return [one for one in m.classes.values() if optimizer_base(m, one.id) is not None]


def _guessed(
    draft: Draft, known: Mapping[NodeId, FlowFacts], trained: set[NodeId]
) -> Iterator[tuple[NodeId, NodeId]]:
    """Flows that are stepped and begin at something assumed, with that place."""
    for site in sorted(draft.facts.machine.assumed):
        root = draft.facts.flows.find(site)
        if root in trained and root in draft.flows and not known[root].made:
            yield root, site


def _are_near(path: str, other: str, numbers: Mapping[str, int]) -> bool:
    """Whether two files lie in one folder, or import each other through some others."""
    if os.path.dirname(path) == os.path.dirname(other):
        return True
    return path in numbers and numbers[path] == numbers.get(other)


def _made(draft: Draft) -> set[NodeId]:
    """The classes of the program of which some constructor call is seen."""
    definitions = draft.facts.machine.definitions.values()
    return {a.class_ for value in definitions for a in value if isinstance(a, OptimizerClass)}


def _stop(draft: Draft, class_: Class, root: NodeId, site: NodeId, *, seen: bool) -> None:
    draft.stop(
        draft.flows[root],
        "FXO310",
        site,
        f"nobody is seen to make this optimizer, and it may be a `{class_.name}`, which is stepped in another way",
    )
    if not seen:
        where = os.path.basename(draft.facts.program.owner(site).path)
        draft.stop(
            draft.file_flow(class_.module),
            "FXO204",
            class_.id,
            f"nobody is seen to make a `{class_.name}`, and {where} steps what may be one",
        )
