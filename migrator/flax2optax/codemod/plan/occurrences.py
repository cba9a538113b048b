"""Every place of a file where an optimizer value, or a name of flax.optim, is used, and what kind of use it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer import OPTIMIZER_NAME, OptimizerFacts
from flax2optax.codemod.infer.absent import is_absent
from flax2optax.codemod.infer.objects import carried
from flax2optax.codemod.infer.tables import RESTORE, SAVES
from flax2optax.codemod.infer.values import (
    Atom,
    Attr,
    ClassRef,
    Container,
    Definition,
    External,
    Free,
    Instance,
    Literal,
    ModuleRef,
    Optimizer,
    OptimizerClass,
    Other,
    Part,
    Super,
    Unknown,
    Value,
)
from flax2optax.codemod.plan.moment_places import changed_moments, is_stored

# What an optimizer of flax has and a TrainState has not.
FIELDS_OF_OPTIMIZERS = frozenset({"target", "apply_gradient", "optimizer_def"})
GONE = ("flax.optim", "flax.nn", "flax.deprecated.nn")


@dataclass(frozen=True, slots=True, eq=False)
class Occurrence:
    """One use. `kind` names it; `above` are the nodes around it, outermost first; `flow` is a site or None."""

    kind: str
    node: t.Expression
    above: tuple[Node, ...]
    flow: NodeId | None
    name: str = ""


def occurrences(facts: OptimizerFacts, module: t.Module) -> Iterator[Occurrence]:
    """Classify every node of a file."""
    for node, above in everything(module):
        if isinstance(node, t.Expression):
            yield from _classify(facts, node, above)


def site_of(value: Value, *kinds: type[Atom]) -> NodeId | None:
    """A site of one of the atoms of these kinds."""
    return min((a.site for a in value if isinstance(a, kinds)), default=None)  # type: ignore[attr-defined]


def parent(above: tuple[Node, ...]) -> Node | None:
    """The node right above."""
    return above[-1] if above else None


def _classify(
    facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]
) -> Iterator[Occurrence]:
    if node.id in facts.machine.dynamic:
        yield Occurrence("dynamic", node, above, None)
    if isinstance(node, t.Call):
        yield from _call(facts, node, above)
    elif isinstance(node, t.Attribute):
        yield from _attribute(facts, node, above)
    elif isinstance(node, t.Name):
        yield from _reference(facts, node, above)
    yield from _context(facts, node, above)
    if (site := changed_moments(facts, node, above)) is not None:
        yield Occurrence("state_part", node, above, site, "param_states")


def _call(facts: OptimizerFacts, node: t.Call, above: tuple[Node, ...]) -> Iterator[Occurrence]:
    value = facts.value(node.id)
    if node.id in facts.machine.definitions:
        site = site_of(value, Definition, Optimizer, Part)
        yield Occurrence("construct", node, above, site)
    callee = facts.value(node.func.id)
    targets = [a for a in callee if isinstance(a, Part) and a.kind == "target"]
    if targets:  # only a `flax.nn.Model` could be called
        yield Occurrence("called", node, above, targets[0].site)
    if _stores(facts, node):
        yield from _stored_states(facts, node, above)
    if External("builtins.hasattr") in callee and len(node.args) == 2:
        asked = site_of(facts.value(node.args[0].value.id), Optimizer)
        if asked is not None:
            yield Occurrence("asked", node, above, asked)
    for atom in callee:
        if isinstance(atom, Attr) and atom.name == "create" and isinstance(atom.of, Definition):
            kind = "create" if isinstance(node.func, t.Attribute) else "create_indirect"
            yield Occurrence(kind, node, above, site_of(value, Optimizer))
            return


def _attribute(
    facts: OptimizerFacts, node: t.Attribute, above: tuple[Node, ...]
) -> Iterator[Occurrence]:
    base = facts.value(node.value.id)
    site = site_of(base, Optimizer)
    if site is not None:
        yield from _optimizer_attribute(facts, node, above, base, site)
        return
    definition = site_of(base, Definition)
    if definition is not None and _is_attr(facts.value(node.id)):
        called = isinstance(parent(above), t.Call) and parent(above).func is node  # type: ignore[union-attr]
        if node.attr == "create":
            if not called:
                yield Occurrence("create_value", node, above, definition)
        else:
            yield Occurrence("definition_attribute", node, above, definition, node.attr)
        return
    part = next((a for a in base if isinstance(a, Part)), None)
    if part is not None:
        yield from _part_attribute(facts, node, above, part, base)
        return
    yield from _reference(facts, node, above)
    if may_be_optimizer(facts, base) and (
        (node.attr == "apply_gradient" and not _is_own(facts, node))
        or (node.attr in ("target", "optimizer_def") and _looks_like_one(facts, node))
    ):
        yield Occurrence("unresolved", node, above, None, node.attr)


def _is_attr(value: Value) -> bool:
    return any(isinstance(a, Attr | Part) for a in value)


def may_be_optimizer(facts: OptimizerFacts, base: Value) -> bool:
    """Whether nothing is known that would make `base.apply_gradient` a method of the user's own."""
    own = (Instance, ClassRef, Super, ModuleRef)
    m = facts.machine
    unknown = any(
        isinstance(a, Other | Free | Unknown)
        or (isinstance(a, Instance | ClassRef) and is_absent(m, a.class_))
        for a in base
    )
    return unknown or not any(isinstance(a, own) for a in base)


def _looks_like_one(facts: OptimizerFacts, node: t.Attribute) -> bool:
    """Whether `x.target` is read from something called like an optimizer, in a file that has flax.optim."""
    value = node.value
    name = value.attr if isinstance(value, t.Attribute) else getattr(value, "name", "")
    named = OPTIMIZER_NAME.search(name) is not None and not name.endswith("def")
    return named and mentions_flax_optim(facts.program.owner(node.id))


def _is_own(facts: OptimizerFacts, node: t.Attribute) -> bool:
    """Whether `apply_gradient` is a method of the program's own, in a file that has nothing of flax.optim."""
    module = facts.program.owner(node.id)
    return not mentions_flax_optim(module) and defines_apply_gradient(facts)


def mentions_flax_optim(module: t.Module) -> bool:
    """Whether a file imports flax.optim, or flax as a whole."""
    for statement in module.imports:
        dotted = [statement.full(alias) for alias in statement.aliases]
        if any(name == "flax" or name.startswith("flax.optim") for name in dotted):
            return True
    return False


def defines_apply_gradient(facts: OptimizerFacts) -> bool:
    """Whether some file of the program has a method of that name."""
    return facts.program.contains("def apply_gradient(")


def _optimizer_attribute(
    facts: OptimizerFacts, node: t.Attribute, above: tuple[Node, ...], base: Value, site: NodeId
) -> Iterator[Occurrence]:
    # Other alternatives have no such attribute, or were lost where an escape is reported already.
    if any(_has_fields(facts, a) for a in base):
        yield Occurrence("mixed", node, above, site)
        return
    kind = node.attr
    over = parent(above)
    if kind == "state" and isinstance(over, t.Attribute) and over.attr == "step":
        yield Occurrence("step", over, above[:-1], site)
    elif kind in ("target", "state", "optimizer_def"):
        yield Occurrence(kind, node, above, site)
    elif isinstance(over, t.Call) and over.func is node:
        known = {"apply_gradient": "apply", "replace": "replace"}
        yield Occurrence(known.get(kind, "method"), over, above[:-1], site, kind)
    elif not kind.startswith("_") or kind.startswith("__"):
        # A private name, of what else may be there, is an AttributeError before and after.
        yield Occurrence("method_value", node, above, site, kind)


def _has_fields(facts: OptimizerFacts, atom: Atom) -> bool:
    if isinstance(atom, Instance):
        return not is_absent(facts.machine, atom.class_)
    return isinstance(atom, Container) and atom.kind == "namespace"


def is_state_of_optimizer(facts: OptimizerFacts, node: t.Attribute) -> bool:
    """Whether an attribute is the state of an optimizer itself, not a field of that name which holds one."""
    base = facts.value(node.value.id)
    return node.attr == "state" and any(isinstance(a, Optimizer) for a in base)


def _part_attribute(
    facts: OptimizerFacts, node: t.Attribute, above: tuple[Node, ...], part: Part, base: Value
) -> Iterator[Occurrence]:
    if part.kind != "state":
        return
    inner, over = node.value, parent(above)
    direct = isinstance(inner, t.Attribute) and is_state_of_optimizer(facts, inner)
    # What else the optimizer may be has no state, or was lost where an escape is reported already.
    sure = direct or all(isinstance(a, Part | Literal) for a in base)
    if node.attr == "step" and sure:
        if not direct:
            yield Occurrence("state_step", node, above, part.site)
    elif node.attr == "param_states" and sure and not is_stored(node, above):
        yield Occurrence("moments", node, above, part.site)
    elif sure and node.attr == "replace" and new_moments(over) is not None:
        assert isinstance(over, t.Call)
        yield Occurrence("new_moments", over, above[:-1], part.site)
    elif node.attr != "step" or not direct:
        yield Occurrence("state_part", node, above, part.site, node.attr)


def new_moments(node: Node | None) -> t.Expression | None:
    """The one argument of `….replace(param_states=argument)`; None of anything else."""
    match node:
        case t.Call(
            func=t.Attribute(attr="replace"),
            args=(t.Argument(value=moments, keyword="param_states"),),
        ):
            return moments
    return None


def _reference(
    facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]
) -> Iterator[Occurrence]:
    """A name of flax.optim itself: a class not being called, the module, something else in it."""
    if _is_target(node, above):
        return
    over = parent(above)
    for atom in facts.value(node.id):
        if isinstance(atom, OptimizerClass) and not atom.class_:
            if isinstance(over, t.Call) and over.func is node:
                return
            yield Occurrence("class", node, above, None, atom.name)
            return
        if isinstance(atom, External) and _is_gone(atom.name):
            inner = isinstance(over, t.Attribute) and facts.value(over.id) != frozenset()
            if not inner:
                yield Occurrence("external", node, above, None, atom.name)
            return


def _is_gone(name: str) -> bool:
    """Whether a dotted name belongs to what flax removed: the optimizers, and the modules before Linen."""
    return any(name == gone or name.startswith(gone + ".") for gone in GONE)


def _is_target(node: t.Expression, above: tuple[Node, ...]) -> bool:
    over = parent(above)
    return isinstance(over, t.Assign) and any(node is target for target in over.targets)


PLAIN_PARENTS = (
    t.Argument,
    t.Sequence,
    t.Dict,
    t.Conditional,
    t.Starred,
    t.Named,
    t.Yield,
    t.FString,
    t.Assign,
    t.AnnAssign,
    t.Return,
    t.Evaluate,
    t.Delete,
    t.Function,
    t.Parameter,
    t.Attribute,
    t.Comprehension,
    t.Generator,
    t.If,
    t.While,
)
IDENTITY = frozenset({"and", "or", "not", "is", "is not"})
TRUTH = frozenset({"and", "or", "not", "is", "is not", "in", "not in", "==", "!="})


def _context(
    facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]
) -> Iterator[Occurrence]:
    """An optimizer or definition in a place that no form knows how to keep."""
    value = facts.value(node.id)
    site = site_of(value, Optimizer, Definition)
    if site is None:
        if any(isinstance(a, Part) and a.kind == "state" for a in value):
            yield from _state_context(facts, node, above, value)
        return
    over = parent(above)
    if _taken_apart(node, over) and any(isinstance(a, Optimizer) for a in value):
        yield Occurrence("context", node, above, site, "it is taken apart")
        return
    if isinstance(over, PLAIN_PARENTS) or (
        isinstance(over, t.Operation) and over.operator in TRUTH
    ):
        return
    if isinstance(over, t.Subscript) and not (
        over.value is node and any(isinstance(a, Definition) for a in value)
    ):
        return  # an item of an optimizer is a TypeError, and so is one of a TrainState
    if isinstance(over, t.For) and over.target is node:
        return
    if isinstance(over, t.With) and all(context is not node for context, _ in over.items):
        return
    if isinstance(over, t.Call) and over.func is node and not isinstance(over.func, t.Call):
        yield Occurrence("called", node, above, site)
        return
    if all(isinstance(a, Literal | Optimizer | Definition) for a in value):
        yield Occurrence("context", node, above, site, type(over).__name__)


def _taken_apart(node: t.Expression, over: Node | None) -> bool:
    """Whether a place iterates over the value."""
    if isinstance(over, t.Assign):
        return over.value is node and any(isinstance(target, t.Sequence) for target in over.targets)
    if isinstance(over, t.Generator):
        return over.iterable is node
    return isinstance(over, t.Starred)


def _state_context(
    facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...], value: Value
) -> Iterator[Occurrence]:
    """An optimizer's state where a pair of step and Optax's state does not do the same; its fields are seen elsewhere."""
    if _is_target(node, above) or isinstance(parent(above), t.Attribute):
        return
    if not _keeps_a_pair(facts, node, above):
        yield Occurrence("state_value", node, above, site_of(value, Part))


def _keeps_a_pair(facts: OptimizerFacts, node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether the place of a state takes a pair as well."""
    over = parent(above)
    if isinstance(over, t.Argument):
        call = above[-2] if len(above) > 1 else None
        return not over.star and not (isinstance(call, t.Call) and _stores(facts, call))
    if isinstance(over, PLAIN_PARENTS):
        return not _taken_apart(node, over)
    if isinstance(over, t.Operation):
        return over.operator in IDENTITY
    return isinstance(over, t.Lambda) or (isinstance(over, t.Subscript) and over.value is not node)


def _stored_states(
    facts: OptimizerFacts, call: t.Call, above: tuple[Node, ...]
) -> Iterator[Occurrence]:
    """A state that is written inside of something else, by the names of its fields."""
    m = facts.machine
    inside = {
        a
        for argument in call.args
        for a in carried(m, m.frames[0], facts.value(argument.value.id), instances=True)
        if isinstance(a, Part) and a.kind == "state"
    }
    if inside:
        yield Occurrence("state_value", call, above, min(a.site for a in inside))


def _stores(facts: OptimizerFacts, call: t.Call) -> bool:
    """Whether a call writes its argument by the names of its fields."""
    names = {a.name for a in facts.value(call.func.id) if isinstance(a, External)}
    return not names.isdisjoint(SAVES | RESTORE.keys() | {"flax.serialization.to_state_dict"})
