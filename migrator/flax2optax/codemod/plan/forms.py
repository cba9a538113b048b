"""Which form a flow takes: explicit where it stays in names the program controls, else one object stays one object."""

from __future__ import annotations

from collections.abc import Mapping

from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.plan.clips import ClipFold
from flax2optax.codemod.plan.computed import is_looked_up_call
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import FlowPlan
from flax2optax.codemod.plan.explicit_form import plan_explicit
from flax2optax.codemod.plan.explicit_names import NotExplicit
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.passages import Passages, find_passages
from flax2optax.codemod.plan.rates import FlowFacts
from flax2optax.codemod.plan.state_form import plan_occurrence


def choose_explicit(
    draft: Draft,
    uses: Mapping[str, list[Occurrence]],
    known: Mapping[NodeId, FlowFacts],
    clips: Mapping[NodeId, ClipFold],
    *,
    forced: bool,
) -> None:
    """Replace the state form by the explicit one, flow by flow, where that can be done whole."""
    program = draft.facts.program
    passages = find_passages(draft.facts)
    by_flow: dict[NodeId, list[Occurrence]] = {}
    typed: set[str] = set()
    for path, found in uses.items():
        for use in found:
            if use.flow is not None:
                by_flow.setdefault(draft.facts.flows.find(use.flow), []).append(use)
            elif use.kind == "class" and use.name == "Optimizer":
                typed.add(path)
    for root, found in by_flow.items():
        if draft.flows[root].blocked:
            continue
        paths = {program.owner(node.id).path for node, _ in passages.optimizers.get(root, ())}
        try:
            if paths & typed:
                raise NotExplicit(found[0].node.id, "its type is written out")
            if known[root].in_rows:
                raise NotExplicit(found[0].node.id, "its leaves are put in a row")
            _explicit(draft, passages, root, found, known[root], clips.get(root))
        except NotExplicit as refusal:
            if forced:
                node = (
                    refusal.node if refusal.node in draft.facts.machine.values else found[0].node.id
                )
                draft.stop(
                    draft.flow(root),
                    "FXO312",
                    node,
                    f"the explicit form cannot carry this flow: {refusal}",
                )


def _explicit(
    draft: Draft,
    passages: Passages,
    root: NodeId,
    uses: list[Occurrence],
    known: FlowFacts,
    clip: ClipFold | None,
) -> None:
    """Plan a flow anew; the state form comes back where this one cannot be had."""
    state = draft.flows[root]
    if any(is_looked_up_call(draft.facts, use) for use in uses):
        raise NotExplicit(root, "its class is looked up by name")
    draft.flows[root] = FlowPlan(
        state.id, root, findings=list(state.findings), files=dict(state.files)
    )
    try:
        for use in uses:
            if use.kind == "construct":
                module = draft.facts.program.owner(use.node.id)
                plan_occurrence(draft, module, use, lambda _: known)
        draft.flows[root].findings = list(state.findings)
        for edit in clip.edits if clip is not None and known.clips else ():
            draft.edit(draft.flows[root], edit)
        plan_explicit(draft, root, uses, known, passages)
        if draft.flows[root].blocked:
            raise NotExplicit(root, "a part of it is stopped")
    except NotExplicit:
        draft.flows[root] = state
        raise
