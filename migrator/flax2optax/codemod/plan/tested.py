"""Values that are only known to be optimizers by a test for the class: what is read of them where the test holds."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import everything, function_around
from flax2optax.codemod.infer.values import External, Optimizer
from flax2optax.codemod.plan.draft import Draft, simple
from flax2optax.codemod.plan.hyper_params import is_same
from flax2optax.codemod.plan.occurrences import FIELDS_OF_OPTIMIZERS, Occurrence, site_of


def read_of_unseen(draft: Draft, module: t.Module, use: Occurrence) -> t.Attribute | None:
    """What is read of `x` beside `isinstance(x, Optimizer)`, where nobody sees an optimizer come there as `x`."""
    asked = _asked(draft, use)
    if asked is None or not simple(asked) or _is_seen(draft, asked):
        return None
    inside = function_around(use.above)
    for node, above in everything(module):
        if (
            isinstance(node, t.Attribute)
            and node.attr in FIELDS_OF_OPTIMIZERS
            and function_around(above) is inside
        ):
            if is_same(node.value, asked) and not _is_seen(draft, node.value):
                return node
    return None


def _asked(draft: Draft, use: Occurrence) -> t.Expression | None:
    """The value whose class is asked for."""
    for over in reversed(use.above):
        if isinstance(over, t.Call):
            found = draft.facts.value(over.func.id)
            is_test = External("builtins.isinstance") in found and len(over.args) == 2
            return over.args[0].value if is_test else None
        if not isinstance(over, t.Argument | t.Sequence):
            return None
    return None


def _is_seen(draft: Draft, node: t.Expression) -> bool:
    return site_of(draft.facts.value(node.id), Optimizer) is not None
