"""Optimizers that go where they cannot be followed stop their flows, unless only a question is asked there."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.flows import sites
from flax2optax.codemod.infer.tables import LEAVES
from flax2optax.codemod.infer.values import Definition, Optimizer, Part, leaves
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.occurrences import parent

_SCOPES = ("globals", "locals")
_QUANTIFIERS = frozenset({"all", "any", "tree_all", "logical_and", "logical_or"})


def stop_escapes(draft: Draft) -> None:
    """Stop each flow with the place and the reason."""
    facts = draft.facts
    harmless = _questions(facts)
    for escape in facts.machine.escapes:
        if escape.node in harmless and not any(isinstance(a, Part) for a in escape.value):
            continue
        for site in sites(escape.value):
            draft.stop(
                draft.flow(site),
                "FXO309",
                escape.node,
                f"the optimizer goes into {escape.into}, which cannot be seen",
            )


def _questions(facts: OptimizerFacts) -> set[NodeId]:
    """Escapes where the answer does not depend on what the optimizer becomes."""
    into = {one.node: one.into for one in facts.machine.escapes}
    found = set()
    for path in {facts.program.owner(node).path for node in into}:
        module = facts.program.modules[path]
        for node, above in everything(module):
            if isinstance(node, t.Call) and (
                (into.get(node.id) in LEAVES and (_is_quantified(above) or _is_waited_for(above)))
                or (into.get(node.id) in _SCOPES and _asks_for_another(facts, module, above))
            ):
                found.add(node.id)
    return found


def _is_quantified(above: tuple[Node, ...]) -> bool:
    """Whether all or any leaves are asked for: one more counter, beside the step, does not change the answer."""
    calls = (over.func for over in above if isinstance(over, t.Call))
    names = (f.attr if isinstance(f, t.Attribute) else getattr(f, "name", "") for f in calls)
    return not _QUANTIFIERS.isdisjoint(names)


def _is_waited_for(above: tuple[Node, ...]) -> bool:
    """`tree_leaves(x)[0].block_until_ready()` as a statement: whichever leaf it is, the same call makes it."""
    match above[-4:]:
        case (
            t.Evaluate(),
            t.Call(args=()),
            t.Attribute(attr="block_until_ready"),
            t.Subscript(indices=(at,), sliced=False),
        ):
            return _is_an_end(at)
    return False


def _is_an_end(index: t.Expression) -> bool:
    """0 or -1: each optimizer has such a leaf, before and after."""
    match index:
        case t.Constant(value=0 | -1) | t.Operation(operator="-", operands=(t.Constant(value=1),)):
            return True
    return False


def _asks_for_another(facts: OptimizerFacts, module: t.Module, above: tuple[Node, ...]) -> bool:
    """`'name' in globals()`, where no optimizer of the file has that name."""
    over = parent(above)
    if not isinstance(over, t.Operation) or over.operator not in ("in", "not in"):
        return False
    asked = over.operands[0]
    return isinstance(asked, t.Constant) and all(
        node.name != asked.value
        for node, _ in everything(module)
        if isinstance(node, t.Name)
        and any(isinstance(a, Optimizer | Definition) for a in leaves(facts.value(node.id)))
    )
