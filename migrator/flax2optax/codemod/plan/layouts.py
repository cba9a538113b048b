"""Programs that know how flax.optim stored an optimizer: by the names of its fields, or by a template for old files.

After the migration a checkpoint has other names.
Reading an old file by its old names stays right and a new file fails aloud, so that is a note.
Where a new file would silently take another way, and where the program's own state dict is taken apart, it stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything, walk
from flax2optax.codemod.infer import OPTIMIZER_NAME, OptimizerFacts
from flax2optax.codemod.infer.flows import sites
from flax2optax.codemod.infer.objects import carried
from flax2optax.codemod.infer.stored import Restored
from flax2optax.codemod.infer.tables import RESTORE
from flax2optax.codemod.infer.values import (
    Container,
    External,
    Free,
    Optimizer,
    Other,
    Serialized,
    Unknown,
    Value,
)
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import FlowPlan
from flax2optax.codemod.plan.occurrences import Occurrence

_KEYS, _LAYOUT = "FXO702", "FXO701"
_NAMES = frozenset({"target", "param_states"})
_INSIDE = frozenset({"target", "state"})
_HELP = "`flax2optax checkpoint OLD NEW` converts old files, params and counters together"
# Without one of these in its text, a module neither restores nor names a field.
_WORDS = (
    *(f"{quote}{name}{quote}" for name in sorted(_NAMES | _INSIDE) for quote in ("'", '"')),
    *(name.rsplit(".", 1)[-1] for name in RESTORE),
    "to_state_dict",
)
_TRAINING = frozenset({"apply", "method", "method_value", "definition_attribute", "mixed"})
_MISSING = frozenset({"KeyError", "LookupError", "Exception", "BaseException"})


@dataclass(frozen=True, slots=True)
class _Addressed:
    """A place that names a field of a stored optimizer; `silent` if a missing name is no error there."""

    node: t.Expression
    base: Value
    keys: tuple[str, ...]
    silent: bool


@dataclass(slots=True)
class Layouts:
    """What one module has: calls that restore flows, state dicts by the call that makes them, and named fields."""

    module: t.Module
    restored: dict[NodeId, set[NodeId]] = field(default_factory=dict)
    serialized: dict[NodeId, set[NodeId]] = field(default_factory=dict)
    addressed: list[_Addressed] = field(default_factory=list)


def find_layouts(facts: OptimizerFacts) -> list[Layouts]:
    """Look through the files of a program that has optimizers."""
    if not facts.flows.parent:
        return []
    modules = facts.program.modules.values()
    return [_search(facts, module) for module in modules if _may_matter(facts, module)]


def trained_flows(facts: OptimizerFacts, uses: dict[str, list[Occurrence]]) -> set[NodeId]:
    """The flows that somebody steps, perhaps."""
    return {
        facts.flows.find(use.flow)
        for found in uses.values()
        for use in found
        if use.flow is not None and use.kind in _TRAINING
    }


def note_layouts(draft: Draft, trained: set[NodeId], found: list[Layouts]) -> None:
    """Tell what depends on the layout of checkpoints."""
    serialized = {site: roots for one in found for site, roots in one.serialized.items()}
    for one in found:
        for call, roots in one.restored.items():
            _tell_restored(draft, call, roots, trained)
        for use in one.addressed:
            _tell_keys(draft, one.module, use, serialized)


def _may_matter(facts: OptimizerFacts, module: t.Module) -> bool:
    text = facts.program.read(module.path) or ""
    return any(word in text for word in _WORDS)


def _search(facts: OptimizerFacts, module: t.Module) -> Layouts:
    found = Layouts(module)
    for node, above in everything(module):
        if isinstance(node, t.Call):
            _call(facts, node, found)
        if isinstance(node, t.Expression):
            found.addressed.extend(_addressed(facts, node, above))
    return found


def _call(facts: OptimizerFacts, node: t.Call, found: Layouts) -> None:
    """Restoring into something with an optimizer in it, or a state dict of it."""
    value = facts.value(node.func.id)
    names = {atom.name for atom in value if isinstance(atom, External)}
    restores = not names.isdisjoint(RESTORE)
    if not restores and "flax.serialization.to_state_dict" not in names:
        return
    roots = set().union(*(_flows(facts, one.value.id) for one in node.args), set())
    if roots:
        (found.restored if restores else found.serialized)[node.id] = roots


def _flows(facts: OptimizerFacts, node: NodeId) -> set[NodeId]:
    m = facts.machine
    inside = carried(m, m.frames[0], facts.value(node), instances=True)
    return {facts.flows.find(atom.site) for atom in inside if isinstance(atom, Optimizer)}


def _addressed(
    facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]
) -> Iterator[_Addressed]:
    match node:
        case t.Subscript(value=inner, indices=(t.Constant(value=str() as key),), sliced=False):
            silent = _is_caught(node, above)
        case t.Call(
            func=t.Attribute(value=inner, attr="get" | "pop" as method), args=(first, *rest)
        ):
            key, silent = _constant(first.value), bool(rest) or method == "get"
        case t.Operation(operator="in" | "not in", operands=(word, inner)):
            key, silent = _constant(word), True
        case _:
            return
    chain, base = _chain(inner)
    if not any(_names_field(chain[:end], chain[end]) for end in range(len(chain))):
        value = facts.value(base.id)
        if _is_layout(facts, value, chain, key, silent=silent):
            yield _Addressed(node, value, (*chain, key), silent)


def _constant(node: t.Expression) -> str:
    value = node.value if isinstance(node, t.Constant) else ""
    return value if isinstance(value, str) else ""


def _chain(node: t.Expression) -> tuple[tuple[str, ...], t.Expression]:
    """The constant keys of `base['a']['b']`, and the base."""
    keys: list[str] = []
    while (
        isinstance(node, t.Subscript)
        and len(node.indices) == 1
        and (key := _constant(node.indices[0]))
    ):
        keys.append(key)
        node = node.value
    return tuple(reversed(keys)), node


def _names_field(chain: tuple[str, ...], key: str) -> bool:
    """Whether a key means a field of an optimizer, wherever it stands or because of the key before it."""
    return key in _NAMES or (key in _INSIDE and _follows_optimizer(chain))


def _follows_optimizer(chain: tuple[str, ...]) -> bool:
    return bool(chain) and OPTIMIZER_NAME.search(chain[-1]) is not None


def _is_layout(
    facts: OptimizerFacts, base: Value, chain: tuple[str, ...], key: str, *, silent: bool
) -> bool:
    """A checkpoint by its origin; else by an optimizer's name in front of a field's, where nothing is known."""
    if any(isinstance(atom, Serialized) for atom in base):
        return key in _NAMES | _INSIDE
    if any(isinstance(atom, Restored) for atom in base):
        return _names_field(chain, key) or (silent and key in _INSIDE)
    known = silent or key not in _INSIDE or not _follows_optimizer(chain)
    return not known and _is_open(facts, base, chain[0])


def _is_open(facts: OptimizerFacts, base: Value, key: str) -> bool:
    """Whether nobody in the program is seen to make the dict under this key; an optimizer there has no items.

    Where it may be a dict that is filled under computed keys, it does not matter that it may be something else.
    """
    m = facts.machine
    filled = any(isinstance(a, Container) and "*" in m.fields(a.site) for a in base)
    return all(
        isinstance(atom, Free | Unknown)
        or (filled and isinstance(atom, Other))
        or (
            isinstance(atom, Container)
            and atom.kind == "dict"
            and all(isinstance(a, Optimizer) for a in m.cells.get((atom.site, key), ()))
        )
        for atom in base
    )


def _is_caught(node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether a missing key has a handler."""
    for over in above:
        if isinstance(over, t.Try) and any(_catches(type_) for type_, _, _ in over.handlers):
            if any(inner is node for inner, _ in walk(over.body)):
                return True
    return False


def _catches(type_: t.Expression | None) -> bool:
    if type_ is None:
        return True
    names = {inner.name for inner, _ in walk((type_,)) if isinstance(inner, t.Name)}
    return not names.isdisjoint(_MISSING)


# Telling


def _tell_restored(draft: Draft, call: NodeId, roots: set[NodeId], trained: set[NodeId]) -> None:
    for root in sorted(roots):
        why = "what is restored here has other names after the migration"
        if root not in trained:
            why = "the optimizer is only made to restore into, and will restore new files alone"
        draft.note(draft.flow(root), _LAYOUT, call, why, _HELP)


def note_rows(draft: Draft) -> None:
    """Tell where the leaves of an optimizer are put in a row, perhaps to be stored that way."""
    for call, inside in draft.facts.machine.flattened.items():
        for root in sorted({draft.facts.flows.find(site) for site in sites(inside)}):
            why = (
                "the leaves of the optimizer come in another order and number than flax's, "
                "so arrays that were stored one by one do not fit"
            )
            draft.note(draft.flow(root), _LAYOUT, call, why, _HELP)


def note_strangers(
    draft: Draft, found: list[Layouts], strangers: Mapping[NodeId, NodeId | None]
) -> None:
    """Tell where a file may come from an optimizer whose state has another structure now."""
    for call, root in sorted(
        {(c, r) for one in found for c, rs in one.restored.items() for r in rs}
    ):
        other = strangers.get(root)
        if other is not None:
            path = draft.facts.program.owner(other).path.rsplit("/", 1)[-1]
            why = (
                f"it cannot restore what the optimizer made in {path} saves: "
                "its rate is applied elsewhere, so its state has another structure"
            )
            draft.note(draft.flow(root), _LAYOUT, call, why)


def _tell_keys(
    draft: Draft, module: t.Module, use: _Addressed, serialized: dict[NodeId, set[NodeId]]
) -> None:
    keys = "".join(f"['{key}']" for key in use.keys)
    sites = {atom.site for atom in use.base if isinstance(atom, Serialized)}
    for site in sorted(sites):
        roots = serialized.get(site) or {draft.facts.flows.find(site)} & set(draft.flows)
        for root in sorted(roots):
            why = f"{keys} of the state dict of an optimizer, which has other names after the migration"
            draft.stop(draft.flow(root), _KEYS, use.node.id, why)
    if sites:
        return
    flow = _flow_of(draft, module)
    if use.silent:
        why = f"without {keys} it goes on in another way, and new checkpoints do not have that"
        draft.stop(flow, _KEYS, use.node.id, why)
    else:
        why = f"{keys} is how flax.optim stored it; new checkpoints have other names"
        draft.note(flow, _KEYS, use.node.id, why, _HELP)


def _flow_of(draft: Draft, module: t.Module) -> FlowPlan:
    """A flow of this file, or what belongs to the file alone."""
    here = (flow for flow in draft.flows.values() if module.path in flow.files)
    return next(here, None) or draft.file_flow(module)
