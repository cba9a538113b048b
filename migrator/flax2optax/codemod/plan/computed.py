"""Calls of flax.optim whose class or arguments are computed: functions that take the classes' own arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import everything
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.values import Atom, Literal, OptimizerClass, Partial, Value
from flax2optax.codemod.plan.configured import Setting, setting
from flax2optax.codemod.plan.constructors import CannotBuild, Rate
from flax2optax.codemod.plan.draft import Draft, pieces
from flax2optax.codemod.plan.edits import FlowPlan, Hole, Replace
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.rates import FlowFacts
from flax2optax_rules import RULES, RuleError, by_arguments, hyper_params


def by_any_arguments(
    draft: Draft, flow: FlowPlan, module: t.Module, name: str, rate: Rate, code: str
) -> str:
    """The function of the program that stands for a class, written into the file; raises `CannotBuild`."""
    if rate not in (Rate.CONSTRUCTOR, Rate.STEP):
        raise CannotBuild("FXO502", f"{name} has computed arguments, and its steps override them")
    try:
        supports = by_arguments(name, unscaled=rate is Rate.STEP)
    except RuleError as error:
        raise CannotBuild(code, f"the arguments of {name} are computed: {error}") from error
    for support in supports:
        draft.support(flow, module, support)
    return supports[-1]


def plan_lookup(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> None:
    """`getattr(optim, name)`: a table of the classes that the program names.

    Where the name may also come from outside, another class may be meant, and the table is only assumed to do.
    """
    node = use.node
    sites = calls_through(draft.facts, node.id)
    flow = draft.flow(sites[0]) if sites else draft.file_flow(module)
    draft.find(flow, "FXO901", node.id, "a class of flax.optim is looked up by a computed name")
    name = _name(node)
    known = _known(draft, name, use) if name is not None else None
    strings = known.values if known is not None else _strings(draft)
    mentioned = [one for one in RULES if one in strings and _takes_a_rate(one)]
    if name is None or not mentioned or not sites:
        why = "the name of a class of flax.optim is computed, and no string of the program is one"
        draft.stop(flow, "FXO901", node.id, why)
        return
    if known is None or not known.closed:
        flow.assumptions["the name of the class may also come from outside of the program"] = None
    if "LARS" in mentioned and any(of(site).moments for site in sites):
        message = "the state may be that of LARS, and Optax's momentum has the other sign"
        draft.stop(flow, "FXO306", node.id, message)
        return
    rates = {of(site).rate for site in sites}
    try:
        if len(rates) > 1:
            raise CannotBuild(
                "FXO901",
                "the class is called for optimizers that get their rates in different ways",
            )
        (rate,) = rates
        table = [
            f"'{one}': {by_any_arguments(draft, flow, module, one, rate, 'FXO901')}"
            for one in mentioned
        ]
    except CannotBuild as error:
        draft.stop(flow, error.code, node.id, str(error))
        return
    draft.note(
        flow, "FXO901", node.id,
        f"The names that the program gives are known ({', '.join(mentioned)}); any other raises a KeyError.",
    )  # fmt: skip
    draft.edit(flow, Replace(node.id, pieces("{\v", ",\v ".join(table), "}[", Hole(name.id), "]")))


def plan_partial(
    draft: Draft, module: t.Module, use: Occurrence, of: Callable[[NodeId], FlowFacts]
) -> bool:
    """`partial(optim.Adam, …)`: the function that takes the class's arguments; False where it is something else."""
    call = use.above[-2] if len(use.above) > 1 else None
    if not isinstance(use.above[-1], t.Argument) or not isinstance(call, t.Call):
        return False
    made = draft.facts.value(call.id)
    if not made or not all(map(class_in_partial, made)):
        return False
    sites = [
        node.id
        for node, callee in _calls_of_partials(draft)
        if any(class_in_partial(atom) == use.name for atom in callee)
    ]
    flow = draft.flow(sites[0]) if sites else draft.file_flow(module)
    draft.find(flow, "FXO202", use.node.id, f"the class `{use.name}` was removed with flax.optim")
    rates = {of(site).rate for site in sites}
    try:
        if len(rates) != 1:
            why = "is called nowhere" if not sites else "gets its rate in different ways"
            raise CannotBuild("FXO202", f"the partial application of {use.name} {why}")
        function = by_any_arguments(draft, flow, module, use.name, rates.pop(), "FXO202")
    except CannotBuild as error:
        draft.stop(flow, error.code, use.node.id, str(error))
        return True
    for site in sites:  # all of them stand or fall together, wherever they are
        draft.flow(site).files[module.path] = None
    draft.edit(flow, Replace(use.node.id, (function,)))
    return True


def class_in_partial(atom: Atom) -> str:
    """The class of flax.optim that a partial application (of a partial application) calls; '' for anything else."""
    if not isinstance(atom, Partial):
        return ""
    while isinstance(atom, Partial):
        atom = atom.function
    return atom.name if isinstance(atom, OptimizerClass) and not atom.class_ else ""


def _calls_of_partials(draft: Draft) -> Iterator[tuple[t.Call, Value]]:
    for module in draft.facts.program.modules.values():
        for node, _ in everything(module):
            if isinstance(node, t.Call) and node.id in draft.facts.machine.definitions:
                yield node, draft.facts.value(node.func.id)


def is_looked_up(facts: OptimizerFacts, use: Occurrence) -> bool:
    """Whether a mention of `flax.optim` is only the table that a class is looked up in."""
    call = use.above[-2] if len(use.above) > 1 else None
    return (
        isinstance(use.above[-1], t.Argument)
        and isinstance(call, t.Call)
        and call.id in facts.machine.dynamic
    )


def is_looked_up_call(facts: OptimizerFacts, use: Occurrence) -> bool:
    """Whether a constructor call is one of a class that is looked up by a computed name."""
    return any(atom.lookup for atom in facts.classes(use.node.id))


def calls_through(facts: OptimizerFacts, lookup: NodeId) -> list[NodeId]:
    """Where the class that an expression looks up is called."""
    calls = facts.machine.definitions
    return [one for one in calls if any(a.lookup == lookup for a in facts.classes(one))]


def _name(node: t.Expression) -> t.Expression | None:
    """The second argument of a plain `getattr(module, name)`."""
    if not isinstance(node, t.Call) or len(node.args) != 2:
        return None
    plain = all(not a.star and a.keyword is None for a in node.args)
    return node.args[1].value if plain else None


def _known(draft: Draft, name: t.Expression, use: Occurrence) -> Setting | None:
    """The strings that a name can only be, or what the program says of the setting that it reads."""
    value = draft.facts.value(name.id)
    strings = {a.value for a in value if isinstance(a, Literal) and isinstance(a.value, str)}
    if strings and len(strings) == len(value):
        return Setting(frozenset(strings), closed=True)
    return setting(draft.facts.program, name, use.above)


def _strings(draft: Draft) -> set[str]:
    """The names of classes that the program has as strings."""
    contains = draft.facts.program.contains
    return {name for name in RULES if any(contains(f"{q}{name}{q}") for q in "'\"")}


def _takes_a_rate(name: str) -> bool:
    return "learning_rate" in hyper_params(RULES[name])
