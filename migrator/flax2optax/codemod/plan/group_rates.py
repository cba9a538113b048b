"""The groups of a MultiOptimizer where steps give each a learning rate of its own."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.plan.constructors import Rate
from flax2optax.codemod.plan.draft import Draft, pieces
from flax2optax.codemod.plan.edits import Hole, Pieces
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.rates import FlowFacts


def rated_groups(
    draft: Draft, module: t.Module, use: Occurrence, known: FlowFacts, called: Pieces
) -> Pieces | None:
    """A call of `called` whose groups each take their own of the rates; None where the flow has been stopped."""
    assert isinstance(use.node, t.Call) and use.flow is not None
    flow = draft.flow(use.flow)
    pairs = [a.value for a in use.node.args]
    own = known.rate is Rate.UPDATE  # each group's update takes a rate, and only those that it has
    told_apart = all(map(_is_pair, use.node.args)) and (own or len(pairs) == known.groups)
    if not told_apart:
        message = "the steps give each group a learning rate, and the groups cannot be told apart"
        draft.stop(flow, "FXO502", use.node.id, message)
        return None
    draft.support(flow, module, "with_group_rate" if own else "scale_by_group_rate")
    optax = draft.library(flow, module, "optax")
    written = pieces(called, "(")
    for index, pair in enumerate(pairs):
        assert isinstance(pair, t.Sequence)
        traversal, definition = (Hole(element.id) for element in pair.elements)
        if own:
            rated = pieces(f"with_group_rate({index}, ", definition, ")")
        else:
            rated = pieces(f"{optax}.chain(", definition, f", scale_by_group_rate({index}))")
        written += pieces(",\v " if index else "\v", "(", traversal, ", ", rated, ")")
    return (*written, ")")


def _is_pair(argument: t.Argument) -> bool:
    value = argument.value
    return (
        not argument.star
        and isinstance(value, t.Sequence)
        and len(value.elements) == 2
        and not any(isinstance(e, t.Starred) for e in value.elements)
    )
