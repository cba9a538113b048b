"""Programs whose params may be complex numbers: there most optimizers of Optax are not those of flax.

flax 0.5.3 squares a gradient as a number (`lax.square`), optax 0.2.8 its magnitude (`numerics.abs_sq`); on real numbers
these are the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.neighbours import connected
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.rates import FlowFacts

# Measured with flax 0.5.3 and optax 0.2.8; some are linear, some are written out by our rules.
_ALIKE = frozenset({"GradientDescent", "Momentum", "Adagrad", "Adadelta", "LARS", "MultiOptimizer"})
_COMPLEX = re.compile(r"(?<!tf\.)\b(?:complex64|complex128|csingle|cdouble)\b|\b[\d.]*\dj\b")
# A file with one of these words makes params, whoever trains them.
_MAKES_PARAMS = frozenset({"param", "init_params", "get_parameter", "initializer", "initializers"})
_WHY = "the program has complex numbers; of a complex gradient flax takes the square, Optax that of its magnitude"


def complex_flows(
    facts: OptimizerFacts, files: Mapping[NodeId, Collection[str]]
) -> frozenset[NodeId]:
    """The flows, by root, whose params may be complex; `files` are those that each one passes."""
    program = facts.program
    suspects = (
        [one for one in program.paths if _COMPLEX.search(program.read(one) or "")] if files else []
    )
    together = connected(program) if suspects else {}
    found = set()
    for root, own in files.items():
        near = {together.get(path) for path in own}
        if any(
            one in own or (together[one] in near and program.words(one) & _MAKES_PARAMS)
            for one in suspects
        ):
            found.add(root)
    return frozenset(found)


def doubt_complex_params(draft: Draft, known: Mapping[NodeId, FlowFacts]) -> None:
    """Let a person decide where params may be complex, and an optimizer is not written so that it trains them alike."""
    apart = {
        root: flow.files for root, flow in draft.flows.items() if _is_apart(draft, known.get(root))
    }
    for root in complex_flows(draft.facts, apart):
        draft.flows[root].assumptions[_WHY] = None


def _is_apart(draft: Draft, known: FlowFacts | None) -> bool:
    """Whether some optimizer of a flow, or a clip in front of it, takes complex gradients otherwise."""
    if known is None:
        return False
    plain = (use.node.id for use in known.made if use.node.id not in draft.squared)
    made = {one for node in plain for one in draft.facts.classes(node) if not one.class_}
    return bool(known.clips) or not {one.name for one in made} <= _ALIKE
