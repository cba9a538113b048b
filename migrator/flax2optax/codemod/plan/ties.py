"""Types that are written out: what names them in one file changes only together with the flows of files that use the name."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import FlowPlan

EVERY = "*"  # any name may lead to the type
MAX_HANDS = 5  # files that hand a type on


def tie_types(draft: Draft) -> None:
    """Tie each file with types to the files that import it and use what the types belong to."""
    program = draft.facts.program
    typed = [
        (module, flow, names)
        for module in program.modules.values()
        if (flow := draft.flows.get(module.base)) is not None
        and (names := _typed_names(module, flow))
    ]
    if not typed:
        return
    imports = {
        module.path: [(one, program.targets(module.path, one)) for one in module.imports]
        for module in program.modules.values()
    }
    for module, flow, names in typed:
        reached, known = {module.path}, set(names)
        for _ in range(MAX_HANDS):
            before = len(reached), len(known)
            for other, statements in imports.items():
                near = [one for one, targets in statements if reached & targets]
                if not near or not (EVERY in known or known & program.words(other)):
                    if near and other.endswith("__init__.py"):
                        reached.add(other)
                    continue
                flow.beside[other] = None
                reached.add(other)
                known |= {a.bound for one in near for a in one.aliases if a.name in known}
            if before == (len(reached), len(known)):
                break


def _typed_names(module: t.Module, flow: FlowPlan) -> set[str]:
    """The names at the top of a file whose definitions have a type that changes, and those that lead to them."""
    nodes = [one.node for one in flow.findings if one.code == "FXO801"]
    if not nodes:
        return set()
    found = {name for node in nodes for name in _names_around(module, node)}
    found |= {
        alias.bound
        for statement in module.imports
        if (statement.module or "").startswith("flax.optim")
        for alias in statement.aliases
    }
    return _leading_to(module, found)


def _names_around(module: t.Module, node: NodeId) -> set[str]:
    """What the statement at the top of a file that has this node defines; every name where that cannot be told."""
    (around,) = [statement for statement in module.body if statement.id <= node][-1:]
    match around:
        case t.Define(definition=definition):
            inside = [inner for inner, _ in walk((around,))]
            outer = isinstance(definition, t.Function) and any(
                isinstance(inner, t.Scope)  # it may set a name of the file, or be found by its type
                or (isinstance(inner, t.Attribute) and inner.attr == "register")
                for inner in inside
            )
            return {EVERY} if outer else {definition.name}
        case t.Assign(targets=targets) if all(isinstance(one, t.Name) for one in targets):
            return {one.name for one in targets if isinstance(one, t.Name)}
        case t.AnnAssign(target=t.Name(name=name)):
            return {name}
        case t.If() | t.Try():
            defined = (one for one, _ in walk((around,)) if isinstance(one, t.Define))
            return {one.definition.name for one in defined} or {EVERY}
    return {EVERY}


def _leading_to(module: t.Module, names: set[str]) -> set[str]:
    """The names of a file whose definitions use these, too."""
    found = set(names)
    while True:
        grown = {
            name
            for statement in module.body
            if found & {inner.name for inner, _ in walk((statement,)) if isinstance(inner, t.Name)}
            for name in _bound_by(statement)
        }
        if grown <= found:
            return found
        found |= grown


def _bound_by(statement: t.Statement) -> set[str]:
    if isinstance(statement, t.Define):
        return {statement.definition.name}
    targets = statement.targets if isinstance(statement, t.Assign) else ()
    return {inner.name for inner, _ in walk(targets) if isinstance(inner, t.Name)}
