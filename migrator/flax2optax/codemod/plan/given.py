"""An argument that a constructor was given, written again where a step or a read needs its value.

Only what is the same there for certain: a literal, or a name (and its attributes) that is bound once and seen by both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.program import Program
from flax2optax.codemod.index.walk import Node, walk
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.flows import sites
from flax2optax.codemod.infer.objects import carried
from flax2optax.codemod.plan.bindings import bound_once
from flax2optax.codemod.plan.edits import Hole, Pieces
from flax2optax.codemod.plan.explicit_names import scope_of
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax_rules import RULES, RuleError, bind, defaults


def given(
    facts: OptimizerFacts,
    made: Sequence[Occurrence],
    name: str,
    module: t.Module,
    above: tuple[Node, ...],
) -> Pieces | None:
    """What all these constructors were given for `name`, as an expression of the place below `above`."""
    found: dict[object, Pieces] = {}
    for use in made:
        value = argument(facts, use, name)
        home = facts.program.owner(use.node.id)
        if isinstance(value, str):
            found[value] = (value,)
            continue
        text = _literal(value)
        if text is None and not (home is module and _same_there(facts, use, value, module, above)):
            return None
        here = value is not None and home is module
        found[text or value] = (Hole(value.id),) if here and value is not None else (text or "",)
    return next(iter(found.values())) if len(found) == 1 else None


def argument(facts: OptimizerFacts, use: Occurrence, name: str) -> t.Expression | str | None:
    """The expression a constructor call has for `name`, or the text of flax's default."""
    classes = facts.classes(use.node.id)
    if not isinstance(use.node, t.Call) or any(a.star for a in use.node.args) or len(classes) != 1:
        return None
    (atom,) = classes
    rule = RULES.get(atom.name) if not atom.class_ else None
    if rule is None:
        return None
    values = {f"__{a.value.id}": a.value for a in use.node.args}
    positional = [f"__{a.value.id}" for a in use.node.args if a.keyword is None]
    keywords = {a.keyword: f"__{a.value.id}" for a in use.node.args if a.keyword is not None}
    try:
        bound = bind(rule, positional, keywords)
    except RuleError:
        return None
    if name in bound:
        value = values.get(bound[name])
        return None if isinstance(value, t.Constant) and value.value is None else value
    default = defaults(rule).get(name)
    return None if default == "None" else default


_PURE = frozenset({
    "float", "int", "bool", "str", "abs", "min", "max", "get", "dtype", "result_type", "promote_types",
})  # fmt: skip


def settled(node: t.Expression, module: t.Module, above: tuple[Node, ...]) -> bool:
    """Whether an expression has one value for all time, as far as its names tell: no loop, no effect, no other binding."""
    looped = any(isinstance(n, t.For | t.While | t.Comprehension) for n in above)
    for inner, around in walk((node,)):
        if isinstance(inner, t.Named | t.Yield | t.Comprehension):
            return False
        if isinstance(inner, t.Call):
            func = inner.func
            name = func.attr if isinstance(func, t.Attribute) else getattr(func, "name", "")
            if name not in _PURE:
                return False
        if isinstance(inner, t.Name) and not isinstance(around[-1] if around else None, t.Call):
            scope = scope_of(inner.name, above, module)
            local = isinstance(scope, t.Function) or inner.name in module.bound
            if local and (looped or not bound_once(inner.name, scope)):
                return False
    return True


def _literal(node: t.Expression | None) -> str | None:
    """A number as text, whichever file it is from."""
    if isinstance(node, t.Constant) and isinstance(node.value, int | float):
        return repr(node.value)
    if isinstance(node, t.Operation) and node.operator == "-" and len(node.operands) == 1:
        inner = _literal(node.operands[0])
        return f"-{inner}" if inner else None
    return None


def _same_there(
    facts: OptimizerFacts,
    use: Occurrence,
    node: t.Expression | None,
    module: t.Module,
    above: tuple[Node, ...],
) -> bool:
    name, attributes = node, []
    while isinstance(name, t.Attribute):
        attributes.append(name.attr)
        name = name.value
    if not isinstance(name, t.Name) or any(_is_set(facts.program, one) for one in attributes):
        return False
    scope = scope_of(name.name, use.above, module)
    if scope is module and _is_set(facts.program, name.name):
        return False
    if scope is not scope_of(name.name, above, module) or not bound_once(name.name, scope):
        return False
    return not (isinstance(scope, t.Function) and _is_given(facts, scope, use))


def _is_set(program: Program, name: str) -> bool:
    """Whether some file of the project, read or not, may set an attribute of this name."""
    stores = re.compile(
        rf"""\.\s*{name}\s*(?:[-+*/%@&|^]|//|\*\*|<<|>>)?=(?!=)|\bupdate\([^)]*\b{name}\s*="""
        rf"""|\bsetattr\([^)]*["']{name}["']|\[["']{name}["']\]\s*[-+*/]?=(?!=)"""
    )
    return any(
        name in program.words(path) and stores.search(program.read(path) or "")
        for path in program.paths
    )


def _is_given(facts: OptimizerFacts, function: t.Function, use: Occurrence) -> bool:
    """Whether a function is given optimizers of this flow: then they may come from another of its calls."""
    if use.flow is None:
        return True
    root = facts.flows.find(use.flow)
    m = facts.machine
    return any(
        facts.flows.find(site) == root
        for frame in m.frames
        if frame.function is function
        for value in frame.parameters.values()
        for site in sites(frozenset(carried(m, frame, value, instances=True)))
    )
