"""Classes of flax.optim as values: kept in variables and dicts, and called through them.

Such a class becomes a callable that takes what every call through a variable gives it; the calls stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer.values import Definition, External, ModuleRef, OptimizerClass
from flax2optax.codemod.plan.annotated import annotated
from flax2optax.codemod.plan.computed import class_in_partial, plan_partial
from flax2optax.codemod.plan.constructors import Built, CannotBuild, Rate, build_callable
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import FlowPlan, Replace
from flax2optax.codemod.plan.occurrences import Occurrence, parent, site_of
from flax2optax.codemod.plan.rates import FlowFacts
from flax2optax_rules import RULES, RuleError, bind, hyper_params

Facts = Callable[[NodeId], FlowFacts]
UNSEEN = "which optimizer is made is decided at run time"


@dataclass(frozen=True, slots=True)
class _Call:
    node: t.Call
    site: NodeId
    given: dict[str, t.Expression] | None  # None where they cannot be told
    positional: int


def plan_indirect(draft: Draft, use: Occurrence, known: FlowFacts) -> None:
    """A call through a variable: it stays, if what the variable holds can take its arguments."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    callee = draft.facts.value(use.node.func.id)
    if callee and all(map(class_in_partial, callee)):
        return  # what the partial application has in the class's place takes any arguments
    if not all(isinstance(a, OptimizerClass) and not a.class_ and a.name in RULES for a in callee):
        draft.stop(flow, "FXO202", use.node.id, UNSEEN)
    elif known.rate not in (Rate.CONSTRUCTOR, Rate.STEP, Rate.MIXED):
        draft.stop(flow, "FXO502", use.node.id, f"{UNSEEN}, and its steps override hyperparameters")
    else:
        for atom in callee:
            assert isinstance(atom, OptimizerClass)
            call = _taken(atom.name, use.node, use.flow)
            rated = call is not None and "learning_rate" in (call.given or {})
            if call is None:
                draft.stop(
                    flow, "FXO202", use.node.id, f"the arguments of {atom.name} are computed"
                )
            elif known.rate is Rate.CONSTRUCTOR and not rated:
                draft.stop(
                    flow, "FXO203", use.node.id, f"{atom.name} is made without a learning rate"
                )


def plan_class_value(draft: Draft, module: t.Module, use: Occurrence, of: Facts) -> None:
    """A class that is named and not called: the callable that takes its place."""
    if plan_partial(draft, module, use, of):
        return
    flow = draft.file_flow(module)
    draft.find(flow, "FXO202", use.node.id, f"the class `{use.name}` was removed with flax.optim")
    try:
        classes = [a for a in draft.facts.value(use.node.id) if isinstance(a, OptimizerClass)]
        if len(classes) > 1:
            raise CannotBuild("FXO202", UNSEEN)
        if use.name not in RULES or not all(
            _is_kept(draft, *place) for place in _places(draft, use.name)
        ):
            raise CannotBuild("FXO202", f"the class `{use.name}` is used as a value")
        calls = _calls(draft, use.name)
        built = _built(draft, flow, module, use.name, calls, of)
    except CannotBuild as error:
        draft.stop(flow, error.code, use.node.id, str(error))
        for call in _calls(draft, use.name):
            draft.stop(draft.flow(call.site), error.code, call.node.id, UNSEEN)
        return
    for call in calls:
        draft.flow(call.site).files[module.path] = None
    for support in built.needs:
        draft.support(flow, module, support)
    for dotted in built.imports:
        draft.library(flow, module, dotted)
    if built.note:
        draft.note(flow, "FXO201", use.node.id, built.note)
    (text,) = built.pieces
    assert isinstance(text, str)
    alone = isinstance(
        parent(use.above), t.Assign | t.AnnAssign | t.Dict | t.Argument | t.Sequence | t.Return
    )
    wrapped = text.startswith("lambda") and not alone
    draft.edit(flow, Replace(use.node.id, (f"({text})" if wrapped else text,)))


def is_variable(draft: Draft, node: t.Expression) -> bool:
    """Whether a class is reached through a variable or field of the program: what is stored there is rewritten."""
    module = draft.facts.program.owner(node.id)
    if isinstance(node, t.Attribute):
        base = draft.facts.value(node.value.id)
        return not any(isinstance(a, External | ModuleRef) for a in base)
    return isinstance(node, t.Name) and not any(
        node.name == (a.asname or a.name) or not statement.aliases
        for statement in module.imports
        for a in (*statement.aliases, t.Alias(0, "*", None))
    )


def _built(
    draft: Draft, flow: FlowPlan, module: t.Module, name: str, calls: list[_Call], of: Facts
) -> Built:
    if any(call.given is None for call in calls):
        raise CannotBuild("FXO202", f"the arguments of {name} are computed")
    given = [call.given or {} for call in calls]
    rates = {
        Rate.STEP if of(call.site).rate is Rate.MIXED else of(call.site).rate for call in calls
    }
    if len(rates) > 1:
        raise CannotBuild(
            "FXO202", f"some steps with `{name}` give a learning rate and others do not"
        )
    names = [key for key in hyper_params(RULES[name]) if any(key in one for one in given)]
    parameters = {key: all(key in one for one in given) for key in names}
    if not calls:
        parameters = {"learning_rate": True}
    positional = max((call.positional for call in calls), default=0)
    rate = rates.pop() if rates else Rate.CONSTRUCTOR
    return build_callable(name, parameters, positional, rate, draft.library(flow, module, "optax"))


def _calls(draft: Draft, name: str) -> list[_Call]:
    """Every call of a class through a variable."""
    found = []
    for node, _ in _everything(draft):
        if not isinstance(node, t.Call) or not _makes(draft, node, name):
            continue
        if not names_the_class(draft, node):
            site = site_of(draft.facts.value(node.id), Definition) or node.id
            found.append(_taken(name, node, site) or _Call(node, site, None, 0))
    return found


def _makes(draft: Draft, node: t.Call, name: str) -> bool:
    return any(atom.name == name for atom in draft.facts.classes(node.id))


def _taken(name: str, node: t.Call, site: NodeId) -> _Call | None:
    """The arguments of a call by flax's names; None where they cannot be told."""
    if any(a.star for a in node.args) or name == "MultiOptimizer":
        return None
    values = {str(a.value.id): a.value for a in node.args}
    positional = [str(a.value.id) for a in node.args if a.keyword is None]
    keywords = {a.keyword: str(a.value.id) for a in node.args if a.keyword is not None}
    try:
        bound = {key: values[id_] for key, id_ in bind(RULES[name], positional, keywords).items()}
    except RuleError:
        return None
    given = {k: v for k, v in bound.items() if not (isinstance(v, t.Constant) and v.value is None)}
    return None if len(given) < len(bound) else _Call(node, site, given, len(positional))


def _everything(draft: Draft) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    for module in draft.facts.program.modules.values():
        yield from everything(module)


def _places(draft: Draft, name: str) -> Iterator[tuple[t.Expression, tuple[Node, ...]]]:
    """Every expression that may be the class."""
    for node, above in _everything(draft):
        if isinstance(node, t.Expression):
            if any(
                isinstance(a, OptimizerClass) and a.name == name for a in draft.facts.value(node.id)
            ):
                yield node, above


def _is_kept(draft: Draft, node: t.Expression, above: tuple[Node, ...]) -> bool:
    """Whether a place only hands the class on, or calls it."""
    over = parent(above)
    if annotated(node, above) is not None:
        return True
    match over:
        case t.Argument():
            return bool(draft.facts.machine.bindings.get(node.id)) and not over.star
        case t.Call():
            return over.func is node
    return isinstance(
        over,
        t.Assign
        | t.AnnAssign
        | t.Dict
        | t.Sequence
        | t.Conditional
        | t.Return
        | t.Parameter
        | t.Named
        | t.Evaluate,
    )


def names_the_class(draft: Draft, node: t.Call) -> bool:
    """Whether the call spells the class itself, not a variable that holds it."""
    func = node.func
    if isinstance(func, t.Attribute):  # `optim.Adam`, whatever the module is called here
        base = draft.facts.value(func.value.id)
        return any(isinstance(a, External | ModuleRef) for a in base)
    if not isinstance(func, t.Name):
        return False
    module = draft.facts.program.owner(node.id)
    return any(
        func.name in (a.bound for a in statement.aliases) or not statement.aliases
        for statement in module.imports
    )
