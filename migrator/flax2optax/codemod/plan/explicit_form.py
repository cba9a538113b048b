"""The explicit form: an optimizer becomes `params` and `opt_state`, side by side, and its definition `tx`.

Every signature, call, return and unpacking it passes changes together. Raises `NotExplicit` where that cannot be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything, walk
from flax2optax.codemod.infer.values import (
    FunctionRef,
    Optimizer,
    Transformed,
    TupleOf,
    Value,
    leaves,
)
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.draft import Draft, is_first, pieces, simple, statement_of
from flax2optax.codemod.plan.edits import (
    Edit,
    Hole,
    InsertBefore,
    Pieces,
    Replace,
    ReplaceStatement,
)
from flax2optax.codemod.plan.explicit_calls import check_functions
from flax2optax.codemod.plan.explicit_names import (
    Halves,
    Namer,
    NotExplicit,
    Scope,
    scope_id,
    scope_of,
)
from flax2optax.codemod.plan.explicit_tx import Transformation, find_transformation
from flax2optax.codemod.plan.occurrences import Occurrence, parent
from flax2optax.codemod.plan.overrides import Step, take_apart
from flax2optax.codemod.plan.rates import FlowFacts

HANDLED = frozenset({"construct", "create", "target", "apply"})


@dataclass
class Explicit:
    """One flow being written; `nodes` are the module's expressions that hold its optimizers."""

    draft: Draft
    module: t.Module
    root: NodeId
    uses: list[Occurrence]
    known: FlowFacts
    nodes: list[tuple[t.Expression, tuple[Node, ...]]] = field(default_factory=list)
    namer: Namer = field(init=False)
    tx: Transformation = field(init=False)

    def holds(self, value: Value) -> bool:
        """Whether a value is an optimizer of this flow."""
        find = self.draft.facts.flows.find
        return any(isinstance(a, Optimizer) and find(a.site) == self.root for a in value)

    def holds_inside(self, value: Value) -> bool:
        """Whether an optimizer of this flow is somewhere in a value."""
        return self.holds(frozenset(leaves(value)))

    def halves(self, node: t.Name, above: Sequence[Node]) -> Halves:
        """The names of the optimizer a name stands for."""
        return self.namer.halves(scope_of(node.name, above, self.module), node.name)


def plan_explicit(
    draft: Draft, module: t.Module, root: NodeId, uses: list[Occurrence], known: FlowFacts
) -> None:
    """Write a whole flow in the explicit form, or raise `NotExplicit` before anything is written."""
    self = Explicit(draft, module, root, uses, known)
    _collect(self)
    named = [(n, a) for n, a in self.nodes if isinstance(n, t.Name)]
    self.namer = Namer(module, named, draft.claimed(module, root))
    for use in uses:
        if use.kind not in HANDLED:
            raise NotExplicit(
                use.node.id, f"it is used in a way that needs one object ({use.kind})"
            )
    self.tx = find_transformation(self.draft, module, uses, known)
    _given_params(self)
    edits = check_functions(self)
    for node, above in self.nodes:
        _node(self, edits, node, above)
    for use in uses:
        _use(self, edits, use)
    _scopes(self, edits)
    edits.extend(self.tx.renames)
    for scope, name in (*self.namer.chosen(), (scope_id(self.tx.scope), self.tx.name)):
        draft.claim(module, scope, name, root)
    flow = draft.flow(root)
    flow.form = "explicit"
    for edit in edits:
        draft.edit(flow, edit)
    draft.library(flow, module, "optax")


def _collect(self: Explicit) -> None:
    facts = self.draft.facts
    for owner, value in facts.machine.owned_cells():
        if self.holds_inside(value) and not (isinstance(owner, tuple) and owner[0] == "definition"):
            raise NotExplicit(self.root, "it is kept in a field or a container")
    for node, above in everything(self.module):
        if isinstance(node, t.Expression) and self.holds_inside(facts.value(node.id)):
            self.nodes.append((node, above))


def _given_params(self: Explicit) -> None:
    """`params` given to `create` may keep its name, where nothing reads it later in the old meaning."""
    for use in self.uses:
        statement = parent(use.above)
        if (
            use.kind != "create"
            or not isinstance(use.node, t.Call)
            or not isinstance(statement, t.Assign)
        ):
            continue
        target, given = statement.targets[0], use.node.args[0].value
        looped = any(isinstance(n, t.For | t.While | t.Comprehension) for n in use.above)
        if isinstance(target, t.Name) and isinstance(given, t.Name) and not looped:
            scope = scope_of(target.name, use.above, self.module)
            if scope_of(given.name, use.above, self.module) is scope:
                key = scope.id if isinstance(scope, t.Function) else scope.base
                self.namer.creates[key, target.name] = given


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
        theirs = self.namer.halves(functions[function], name)
        text = f"{theirs.params}={halves.params}, {theirs.state}={halves.state}"
        edits.append(Replace(argument.id, (text,)))


def _use(self: Explicit, edits: list[Edit], use: Occurrence) -> None:
    if use.kind == "target":
        assert isinstance(use.node, t.Attribute)
        name = use.node.value
        if not isinstance(name, t.Name):
            raise NotExplicit(use.node.id, "its params are read from an expression")
        edits.append(Replace(use.node.id, (self.halves(name, use.above).params,)))
    elif use.kind == "create":
        _create(self, edits, use)
    elif use.kind == "apply":
        _apply(self, edits, use)


def _create(self: Explicit, edits: list[Edit], use: Occurrence) -> None:
    assert isinstance(use.node, t.Call)
    over = parent(use.above)
    given = use.node.args[0].value
    lines: list[Pieces] = [*self.tx.made_here.get(use.node.id, ())]
    tx = self.tx.name
    if (
        isinstance(over, t.Assign)
        and len(over.targets) == 1
        and isinstance(over.targets[0], t.Name)
    ):
        if over.line in self.module.inline:
            raise NotExplicit(use.node.id, "it shares its line with another statement")
        halves = self.halves(over.targets[0], use.above)
        if not (isinstance(given, t.Name) and given.name == halves.params):
            lines.append(pieces(f"{halves.params} = ", given.id))
        lines.append((f"{halves.state} = {tx}.init({halves.params})",))
        edits.append(ReplaceStatement(over.id, over.line, tuple(lines)))
    elif isinstance(over, t.Return | t.Sequence) and simple(given) and not lines:
        edits.append(Replace(use.node.id, pieces(given.id, f", {tx}.init(", given.id, ")")))
    else:
        raise NotExplicit(use.node.id, "it is made in the middle of an expression")


def _apply(self: Explicit, edits: list[Edit], use: Occurrence) -> None:
    assert isinstance(use.node, t.Call)
    step = take_apart(use.node)
    statement = statement_of(use.above, self.module)
    if (
        step.problem
        or step.others
        or step.gradients is None
        or self.known.rate not in (Rate.CONSTRUCTOR, Rate.STEP)
    ):
        raise NotExplicit(use.node.id, "the step overrides hyperparameters")
    if statement is None or not isinstance(step.optimizer, t.Name):
        raise NotExplicit(use.node.id, "the step stands where no lines can be put before it")
    if not is_first(statement, use.node):
        raise NotExplicit(use.node.id, "something is evaluated before the step")
    self.tx.check_visible(use)
    old = self.halves(step.optimizer, use.above)
    over = parent(use.above)
    if (
        isinstance(over, t.Assign)
        and len(over.targets) == 1
        and isinstance(over.targets[0], t.Name)
    ):
        new = self.halves(over.targets[0], use.above)
        edits.append(
            ReplaceStatement(statement.id, statement.line, _update(self, use, step, old, new))
        )
    elif isinstance(statement, t.Return):
        new = _returned(self, use, step.optimizer, old, statement)
        edits.append(InsertBefore(statement.line, _update(self, use, step, old, new)))
        edits.append(Replace(use.node.id, (f"{new.params}, {new.state}",)))
    else:
        raise NotExplicit(use.node.id, "the new optimizer goes into the middle of an expression")


def _returned(
    self: Explicit, use: Occurrence, optimizer: t.Name, old: Halves, statement: t.Return
) -> Halves:
    """Names for a step that is returned at once: the old ones, unless somebody still needs their old values."""
    scope: Scope = scope_of(optimizer.name, use.above, self.module)
    innermost = next((n for n in reversed(use.above) if isinstance(n, t.Function)), None)
    others = [
        node
        for node, _ in walk((statement,))
        if isinstance(node, t.Name) and node.name == optimizer.name and node is not optimizer
    ]
    if scope is innermost and not others:
        return old
    fresh = self.draft.fresh
    return Halves(fresh(use.above, f"new_{old.params}"), fresh(use.above, f"new_{old.state}"))


def _update(
    self: Explicit, use: Occurrence, step: Step, old: Halves, new: Halves
) -> tuple[Pieces, ...]:
    """The lines of one step."""
    assert step.gradients is not None
    flow = self.draft.flow(self.root)
    optax = self.draft.library(flow, self.module, "optax")
    updates = self.draft.fresh(use.above, "updates")
    lines: list[Pieces] = []
    scale: Pieces | None = None
    if self.known.rate is Rate.STEP and step.rate is not None:
        scale = (Hole(step.rate.id),)
    gradients = step.gradients.value.id
    lines.append(
        pieces(
            f"{updates}, {new.state} = {self.tx.name}.update(",
            gradients,
            f", {old.state}, {old.params})",
        )
    )
    if scale is not None and step.rate is not None:
        if not simple(step.rate):  # behind the gradients, as the call evaluated them
            name = self.draft.fresh(use.above, "learning_rate")
            lines.append(pieces(f"{name} = ", step.rate.id))
            scale = (name,)
        jax = self.draft.library(flow, self.module, "jax")
        one = self.draft.fresh(use.above, "u")
        start = f"{updates} = {jax}.tree_util.tree_map(lambda {one}: -"
        lines.append(pieces(start, scale, f" * {one}, {updates})"))
    lines.append((f"{new.params} = {optax}.apply_updates({old.params}, {updates})",))
    return tuple(lines)


def _scopes(self: Explicit, edits: list[Edit]) -> None:
    """`global optimizer` names both halves."""
    wanted = {n.name for n, _ in self.nodes if isinstance(n, t.Name)}
    for node, above in everything(self.module):
        if isinstance(node, t.Scope):
            for name, id_ in node.names:
                if name in wanted:
                    scope = scope_of(name, above, self.module)
                    halves = self.namer.halves(scope, name)
                    edits.append(Replace(id_, (f"{halves.params}, {halves.state}",)))


def _is_use(self: Explicit, node: t.Call) -> bool:
    return any(use.node is node and use.kind in ("create", "apply") for use in self.uses)
