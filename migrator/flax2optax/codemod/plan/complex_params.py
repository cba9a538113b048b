"""Programs whose params may be complex numbers: there most optimizers of Optax are not those of flax.

flax 0.5.3 squares a gradient as a number (`lax.square`), optax 0.2.8 its magnitude (`numerics.abs_sq`); on real numbers
these are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.neighbours import connected
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.rates import FlowFacts

# Measured with flax 0.5.3 and optax 0.2.8; some are linear, some are written out by our rules.
_ALIKE = frozenset({"GradientDescent", "Momentum", "Adagrad", "Adadelta", "LARS", "MultiOptimizer"})
_COMPLEX = re.compile(r"(?<!tf\.)\b(?:complex64|complex128|csingle|cdouble)\b|\b[\d.]*\dj\b")
# A file with one of these words makes params, whoever trains them.
_MAKES_PARAMS = frozenset({"param", "init_params", "get_parameter", "initializer", "initializers"})
_WHY = "the program has complex numbers; of a complex gradient flax takes the square, Optax that of its magnitude"


def doubt_complex_params(draft: Draft, known: Mapping[NodeId, FlowFacts]) -> None:
    """Let a person decide where params may be complex."""
    apart = [flow for root, flow in draft.flows.items() if _is_apart(draft, known.get(root))]
    program = draft.facts.program
    suspects = (
        [one for one in program.paths if _COMPLEX.search(program.read(one) or "")] if apart else []
    )
    together = connected(program) if suspects else {}
    for flow in apart:
        near = {together.get(path) for path in flow.files}
        if any(
            one in flow.files or (together[one] in near and program.words(one) & _MAKES_PARAMS)
            for one in suspects
        ):
            flow.assumptions[_WHY] = None


def _is_apart(draft: Draft, known: FlowFacts | None) -> bool:
    """Whether some optimizer of a flow, or a clip in front of it, takes complex gradients otherwise."""
    if known is None:
        return False
    made = {one for use in known.made for one in draft.facts.classes(use.node.id) if not one.class_}
    return bool(known.clips) or not {one.name for one in made} <= _ALIKE
