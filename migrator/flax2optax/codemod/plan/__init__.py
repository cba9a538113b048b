"""OptimizerFacts + rules → MigrationPlan: pure data, one decision per flow. Never builds syntax, never writes.

First every use is classified, then each flow's rate and form are chosen, then each use becomes edits or a reason to stop.
Flows that share a file stand or fall together: a file whose import of flax.optim stays cannot be imported anyway.
"""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import everything, walk
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.flows import sites
from flax2optax.codemod.infer.objects import family
from flax2optax.codemod.infer.values import (
    Array,
    Container,
    Instance,
    Literal,
    Optimizer,
    TupleOf,
    Value,
)
from flax2optax.codemod.outcome import Form
from flax2optax.codemod.plan.absent import note_absent_classes
from flax2optax.codemod.plan.clips import ClipFold, find_clips
from flax2optax.codemod.plan.complex_params import complex_flows, doubt_complex_params
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.decide import decide
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import FlowPlan, MigrationPlan
from flax2optax.codemod.plan.escapes import stop_escapes
from flax2optax.codemod.plan.forms import choose_explicit
from flax2optax.codemod.plan.guessed_steps import stop_guessed_steps
from flax2optax.codemod.plan.idle import doubt_unstepped
from flax2optax.codemod.plan.layouts import (
    find_layouts,
    note_layouts,
    note_rows,
    note_strangers,
    trained_flows,
)
from flax2optax.codemod.plan.leftovers import plan_leftovers
from flax2optax.codemod.plan.moments import reads_moments
from flax2optax.codemod.plan.occurrences import Occurrence, occurrences
from flax2optax.codemod.plan.rates import FlowFacts, flow_rate
from flax2optax.codemod.plan.replicas import replicated_axis
from flax2optax.codemod.plan.state_form import plan_occurrence, plan_string_annotation
from flax2optax.codemod.plan.templates import match_templates, with_another_state
from flax2optax.codemod.plan.ties import tie_types

_BEFORE_LINEN = frozenset({"FXO102", "FXO902"})
_NOBODY_CALLS = "nobody is seen to call the function that gets the optimizer"


def plan(facts: OptimizerFacts, *, unsafe: bool = False, form: Form = "auto") -> MigrationPlan:
    """Plan every flow of the program, in the form asked for."""
    draft = Draft(facts)
    uses = {
        path: list(occurrences(facts, module)) for path, module in facts.program.modules.items()
    }
    clips = find_clips(facts, uses, unsafe=unsafe)
    layouts, trained = find_layouts(facts), trained_flows(facts, uses)
    known = _flow_facts(facts, [use for found in uses.values() for use in found], clips)
    known = match_templates(facts, known, trained, layouts)
    for path, found in uses.items():
        module = facts.program.modules[path]
        for use in found:
            plan_occurrence(draft, module, use, lambda site: known[facts.flows.find(site)])
        _annotations(draft, module)
    for root, fold in clips.items():
        _clip(draft, draft.flow(root), known[root], fold)
    stop_escapes(draft)
    if form != "state":
        choose_explicit(draft, uses, known, clips, forced=form == "explicit")
    _assume(draft)
    stop_guessed_steps(draft, known, trained)
    doubt_unstepped(draft, known, trained, layouts)
    doubt_complex_params(draft, known)
    _drop_strangers(draft)
    plan_leftovers(draft)
    note_layouts(draft, trained, layouts)
    strangers = {root: with_another_state(facts, known, root) for root in known}
    note_strangers(draft, layouts, strangers)
    note_rows(draft)
    note_absent_classes(draft)
    tie_types(draft)
    decide(list(draft.flows.values()), unsafe=unsafe)
    return MigrationPlan(sorted(draft.flows.values(), key=lambda flow: flow.root))


def _clip(draft: Draft, flow: FlowPlan, known: FlowFacts, fold: ClipFold) -> None:
    """A clip leaves the steps where it went into the transformation."""
    if fold.edits and not known.clips:
        return
    flow.findings.extend(fold.findings)
    for edit in fold.edits:
        draft.edit(flow, edit)


def _flow_facts(
    facts: OptimizerFacts, uses: list[Occurrence], clips: dict[NodeId, ClipFold]
) -> dict[NodeId, FlowFacts]:
    """Each flow's rate, whether its params are bare, and the clips in front of its transformation."""
    found: dict[NodeId, list[Occurrence]] = {}
    for use in uses:
        if use.flow is not None:
            found.setdefault(facts.flows.find(use.flow), []).append(use)
    roots = {facts.flows.find(site) for site in facts.flows.parent}
    owner = facts.program.owner
    paths = {root: {owner(use.node.id).path for use in found.get(root, ())} for root in roots}
    complex_ = complex_flows(facts, paths)
    rows = {facts.flows.find(one) for v in facts.machine.rebuilt.values() for one in sites(v)}
    result = {}
    for root in roots:
        its = found.get(root, [])
        how, axis = flow_rate(facts, its), replicated_axis(its)
        # A chain would wrap the state that a rate is written to, and hide an update that takes overrides.
        # Steps of a replicated optimizer average the gradients behind a clip.
        front = (
            clips[root].front
            if root in clips and how.rate not in (Rate.STATE, Rate.UPDATE) and not axis
            else ()
        )
        made = tuple(use for use in its if use.kind == "construct")
        result[root] = FlowFacts(
            how.rate, _bare(facts, its), front, how.overridden, how.groups, made,
            root in complex_, root in rows, any(map(reads_moments, its)), axis,
        )  # fmt: skip
    return result


def _bare(facts: OptimizerFacts, uses: list[Occurrence]) -> bool:
    for use in uses:
        if use.kind == "create" and isinstance(use.node, t.Call) and use.node.args:
            argument = use.node.args[0]
            if isinstance(argument.value, t.Sequence | t.Constant) or _is_bare(
                facts.value(argument.value.id)
            ):
                return True
    return False


def _is_bare(value: Value) -> bool:
    if value and all(isinstance(a, Array) for a in value):
        return True
    return any(
        isinstance(a, TupleOf | Instance)
        or (isinstance(a, Container) and a.kind == "list")
        or (isinstance(a, Literal) and isinstance(a.value, int) and not isinstance(a.value, bool))
        for a in value
    )


def _annotations(draft: Draft, module: t.Module) -> None:
    for node, _ in everything(module):
        annotation = None
        if isinstance(node, t.Parameter | t.AnnAssign):
            annotation = node.annotation
        elif isinstance(node, t.Function):
            annotation = node.returns
        if annotation is not None:
            for inner, _ in walk((annotation,)):
                if isinstance(inner, t.Constant) and isinstance(inner.value, str):
                    plan_string_annotation(draft, module, inner)


def _drop_strangers(draft: Draft) -> None:
    """A file that only uses the modules before Linen, and through which no optimizer passes, is not ours."""
    for root, flow in list(draft.flows.items()):
        others = [
            f for f in draft.flows.values() if f is not flow and f.files.keys() & flow.files.keys()
        ]
        if flow.findings and not others and all(one.code in _BEFORE_LINEN for one in flow.findings):
            del draft.flows[root]


def _assume(draft: Draft) -> None:
    """Mark the flows that begin at a parameter nobody calls."""
    facts = draft.facts
    filled = _filled_fields(facts)
    for site in facts.machine.assumed:
        if facts.flows.find(site) in draft.flows and site not in filled:
            draft.flows[facts.flows.find(site)].assumptions[_NOBODY_CALLS] = None


def _filled_fields(facts: OptimizerFacts) -> set[NodeId]:
    """Annotated fields that were read before an optimizer was seen to be stored in them: nothing is assumed of them."""
    machine = facts.machine
    return {
        site
        for (class_id, name), site in machine.field_sites.items()
        for atom in machine.cells.get((family(machine, class_id), name), frozenset())
        if isinstance(atom, Optimizer) and atom.site != site
    }
