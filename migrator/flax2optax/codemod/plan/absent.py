"""Classes whose file is not there: a reviewer should know what was taken to be in their objects."""

from __future__ import annotations

import os.path

from flax2optax.codemod.infer.absent_records import inside, read_back
from flax2optax.codemod.infer.flows import sites
from flax2optax.codemod.plan.draft import Draft

_HELP = "if you have the file, put it in its place and run again: it may have more to migrate"


def note_absent_classes(draft: Draft) -> None:
    """Tell where an object is made of such a class, and its fields are followed."""
    facts = draft.facts
    for class_id, absent in facts.machine.absent_classes.items():
        if not read_back(facts.machine, class_id):
            continue
        class_ = facts.machine.classes[class_id]
        path = os.path.relpath(class_.module.path, facts.program.root)
        why = (
            f"the file of `{class_.name}` ({path}) is not there: "
            "its fields are taken to be what they are given by keyword"
        )
        roots = {facts.flows.find(site) for site in sites(inside(facts.machine, class_id))}
        for root in sorted(roots & draft.flows.keys()):
            for call in absent.made:
                draft.note(draft.flows[root], "FXO313", call, why, _HELP)
