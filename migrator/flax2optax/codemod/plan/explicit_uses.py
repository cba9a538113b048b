"""Creation and steps of an explicit flow: `tx.init`, `tx.update` and `optax.apply_updates`."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import function_around, walk
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.draft import is_first, pieces, simple, statement_of
from flax2optax.codemod.plan.edits import (
    Edit,
    Hole,
    InsertBefore,
    Pieces,
    Replace,
    ReplaceStatement,
)
from flax2optax.codemod.plan.explicit_flow import Explicit
from flax2optax.codemod.plan.explicit_names import Halves, NotExplicit, Scope, scope_of
from flax2optax.codemod.plan.occurrences import Occurrence, parent
from flax2optax.codemod.plan.overrides import Step, take_apart


def write_use(self: Explicit, edits: list[Edit], use: Occurrence) -> None:
    """One place where it is created or stepped, or its params are read; raises `NotExplicit`."""
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
        if over.line in self.module(use.node.id).inline:
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
    statement = statement_of(use.above, self.module(use.node.id))
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
    self.tx.check_visible(use, self.module(use.node.id))
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
    scope: Scope = scope_of(optimizer.name, use.above, self.module(use.node.id))
    innermost = function_around(use.above)
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
    module = self.module(use.node.id)
    optax = self.draft.library(flow, module, "optax")
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
        jax = self.draft.library(flow, module, "jax")
        one = self.draft.fresh(use.above, "u")
        start = f"{updates} = {jax}.tree_util.tree_map(lambda {one}: -"
        lines.append(pieces(start, scale, f" * {one}, {updates})"))
    lines.append((f"{new.params} = {optax}.apply_updates({old.params}, {updates})",))
    return tuple(lines)
