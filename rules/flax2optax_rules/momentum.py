"""Momentum, and Momentum with weight decay.

Optax's `sgd` has no momentum unless told, so flax's 0.9 is always written.
Flax adds the decay to the gradient before the momentum sees it, so the decay comes first in the chain.
Results are bitwise equal.
"""

from .types import Agreement, Example, OptimizerRule, Variant

SGD = "optax.sgd({learning_rate}, momentum={beta}, nesterov={nesterov?})"
TRACE = "optax.trace(decay={beta}, nesterov={nesterov?})"

rule = OptimizerRule(
    flax="flax.optim.Momentum(learning_rate=None, beta=0.9, weight_decay=0, nesterov=False)",
    variants=(
        Variant(
            when="weight_decay",
            write=f"optax.chain(optax.add_decayed_weights({{weight_decay}}), {SGD})",
            unscaled=f"optax.chain(optax.add_decayed_weights({{weight_decay}}), {TRACE})",
            state={"momentum": "[1][0].trace"},
            unscaled_state={"momentum": "[1].trace"},
        ),
        Variant(
            write=SGD,
            unscaled=TRACE,
            state={"momentum": "[0].trace"},
            unscaled_state={"momentum": ".trace"},
        ),
    ),
    agreement=Agreement.EXACT,
    examples=(
        Example(before="optim.Momentum(0.1)", after="optax.sgd(0.1, momentum=0.9)"),
        Example(
            before="optim.Momentum(0.1, 0.8, nesterov=True)",
            after="optax.sgd(0.1, momentum=0.8, nesterov=True)",
        ),
        Example(
            before="optim.Momentum(learning_rate=0.1, weight_decay=1e-4)",
            after="optax.chain(optax.add_decayed_weights(1e-4), optax.sgd(0.1, momentum=0.9))",
        ),
    ),
)
