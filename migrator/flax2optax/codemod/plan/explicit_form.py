"""The explicit form: an optimizer becomes `params` and `opt_state`, side by side, and its definition `tx`.

Every signature, call, return and unpacking it passes changes together. Raises `NotExplicit` where that cannot be done.
"""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything, walk
from flax2optax.codemod.infer.values import FunctionRef, Optimizer, Transformed, TupleOf
from flax2optax.codemod.plan.bindings import first_binding
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import Edit, Replace
from flax2optax.codemod.plan.explicit_calls import check_functions
from flax2optax.codemod.plan.explicit_flow import Explicit
from flax2optax.codemod.plan.explicit_names import (
    Halves,
    NotExplicit,
    Scope,
    scope_id,
    scope_of,
)
from flax2optax.codemod.plan.explicit_tx import find_transformation
from flax2optax.codemod.plan.explicit_uses import write_use
from flax2optax.codemod.plan.exports import named_elsewhere
from flax2optax.codemod.plan.occurrences import Occurrence, parent
from flax2optax.codemod.plan.passages import Passages
from flax2optax.codemod.plan.rates import FlowFacts

HANDLED = frozenset({"construct", "create", "target", "apply"})


def plan_explicit(
    draft: Draft,
    root: NodeId,
    uses: list[Occurrence],
    known: FlowFacts,
    passages: Passages,
) -> None:
    """Write a whole flow in the explicit form, or raise `NotExplicit` before anything is written."""
    self = Explicit(draft, root, uses, known, passages)
    for use in uses:
        if use.kind not in HANDLED:
            raise NotExplicit(
                use.node.id, f"it is used in a way that needs one object ({use.kind})"
            )
    _check_places(self)
    self.tx = find_transformation(self.draft, uses, known)
    _given_params(self)
    edits = check_functions(self)
    for node, above in self.nodes:
        _node(self, edits, node, above)
    for use in uses:
        write_use(self, edits, use)
    _scopes(self, edits)
    edits.extend(self.tx.renames)
    draft.claim(self.tx.module, scope_id(self.tx.scope), self.tx.name, root)
    for namer in self.namers.values():
        for scope, name in namer.chosen():
            draft.claim(namer.module, scope, name, root)
    flow = draft.flow(root)
    flow.form = "explicit"
    for edit in edits:
        draft.edit(flow, edit)
    draft.library(flow, self.tx.module, "optax")


def _check_places(self: Explicit) -> None:
    """It may live in variables only, and other files may not name those."""
    facts = self.draft.facts
    for owner, value in facts.machine.owned_cells():
        if self.holds_inside(value) and not (isinstance(owner, tuple) and owner[0] == "definition"):
            raise NotExplicit(self.root, "it is kept in a field or a container")
    for node, above in self.nodes:
        module = self.module(node.id)
        if isinstance(node, t.Name) and scope_of(node.name, above, module) is module:
            if named_elsewhere(facts.program, module, node.name):
                raise NotExplicit(node.id, f"other files know `{node.name}`")


def _given_params(self: Explicit) -> None:
    """`params` that a variable is made from may keep its name, where nothing reads it later in the old meaning."""
    for node, above in self.nodes:
        statement = next((n for n in above if isinstance(n, t.Assign)), None)
        if isinstance(node, t.Name) and statement is not None:
            module = self.module(node.id)
            scope = scope_of(node.name, above, module)
            if first_binding(node.name, scope) is node:
                read = _read_by(self, scope, statement, above)
                self.namer(module).made_from[scope_id(scope), node.name] = read


def _read_by(
    self: Explicit, scope: Scope, statement: t.Assign, above: tuple[Node, ...]
) -> dict[str, NodeId]:
    """The variables of a scope that a statement reads, each with the last place, if it runs once."""
    if any(isinstance(n, t.For | t.While | t.Comprehension) for n in above):
        return {}
    return {
        node.name: node.id
        for node, inner in walk((statement.value,), (*above[: above.index(statement)], statement))
        if isinstance(node, t.Name) and scope_of(node.name, inner, self.module(node.id)) is scope
    }


def _node(self: Explicit, edits: list[Edit], node: t.Expression, above: tuple[Node, ...]) -> None:
    """One expression that holds an optimizer: a name, a call or a tuple, in a place that can take two values."""
    value = self.draft.facts.value(node.id)
    over = parent(above)
    if not all(isinstance(a, Optimizer | TupleOf) for a in value):
        if not all(isinstance(a, FunctionRef | Transformed) for a in value):
            raise NotExplicit(node.id, "the value may be something else too")
    if isinstance(node, t.Name) and self.holds(value):
        _name(self, edits, node, above)
    elif isinstance(node, t.Call):
        direct = self.holds(value)
        fine = isinstance(over, t.Return | t.Evaluate) or (
            isinstance(over, t.Assign) and _receives(over, direct=direct)
        )
        in_tuple = (
            direct and isinstance(over, t.Sequence) and isinstance(parent(above[:-1]), t.Return)
        )
        if not fine and not in_tuple:
            raise NotExplicit(node.id, "its result is used where two values cannot stand")
    elif not isinstance(node, t.Sequence) or node.kind != "tuple":
        raise NotExplicit(node.id, "it is part of an expression that needs one object")


def _receives(statement: t.Assign, *, direct: bool) -> bool:
    """Whether an assignment's targets unpack (or, for an optimizer alone, name) what it gets."""
    return all(
        isinstance(x, t.Name) if direct else isinstance(x, t.Sequence) for x in statement.targets
    )


def _name(self: Explicit, edits: list[Edit], node: t.Name, above: tuple[Node, ...]) -> None:
    halves = self.halves(node, above)
    both = f"{halves.params}, {halves.state}"
    over = parent(above)
    if isinstance(over, t.Attribute):
        return  # `.target`, `.apply_gradient`: the use itself is rewritten
    if isinstance(over, t.Argument):
        _argument(self, edits, node, above, halves)
    elif isinstance(over, t.Assign):
        if not (isinstance(over.value, t.Call) and _is_use(self, over.value)):
            edits.append(Replace(node.id, (both,)))
    elif isinstance(over, t.Return) or (isinstance(over, t.Sequence) and over.kind == "tuple"):
        edits.append(Replace(node.id, (both,)))
    else:
        raise NotExplicit(node.id, "it stands where two values cannot")


def _argument(
    self: Explicit, edits: list[Edit], node: t.Name, above: tuple[Node, ...], halves: Halves
) -> None:
    argument = above[-1]
    assert isinstance(argument, t.Argument)
    bound = self.draft.facts.machine.bindings.get(node.id, {})
    functions = self.draft.facts.machine.functions
    if not bound or argument.star or any(f not in functions for f, _ in bound):
        raise NotExplicit(node.id, "it goes into a call that takes one object")
    if argument.keyword is None:
        edits.append(Replace(node.id, (f"{halves.params}, {halves.state}",)))
        return
    for function, name in bound:
        taking = functions[function]
        theirs = self.namer(taking.module).halves(taking, name)
        text = f"{theirs.params}={halves.params}, {theirs.state}={halves.state}"
        edits.append(Replace(argument.id, (text,)))


def _scopes(self: Explicit, edits: list[Edit]) -> None:
    """`global optimizer` names both halves."""
    wanted = {(self.module(n.id).base, n.name) for n, _ in self.nodes if isinstance(n, t.Name)}
    for module in self.modules:
        for node, above in everything(module):
            for name, id_ in node.names if isinstance(node, t.Scope) else ():
                if (module.base, name) in wanted:
                    halves = self.namer(module).halves(scope_of(name, above, module), name)
                    edits.append(Replace(id_, (f"{halves.params}, {halves.state}",)))


def _is_use(self: Explicit, node: t.Call) -> bool:
    return any(use.node is node and use.kind in ("create", "apply") for use in self.uses)
