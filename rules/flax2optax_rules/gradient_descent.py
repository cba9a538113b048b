"""Plain gradient descent.

Only the name changes; results are bitwise equal.
"""

from .types import Agreement, Example, OptimizerRule, Variant

rule = OptimizerRule(
    flax="flax.optim.GradientDescent(learning_rate=None)",
    variants=(Variant(write="optax.sgd({learning_rate})", unscaled="optax.identity()"),),
    agreement=Agreement.EXACT,
    examples=(
        Example(before="optim.GradientDescent(0.1)", after="optax.sgd(0.1)"),
        Example(before="optim.GradientDescent(learning_rate=0.01)", after="optax.sgd(0.01)"),
    ),
)
