"""LARS, and LARS with weight decay.

The rate is inside of the momentum, so no step can multiply it in afterwards.
Without decay only names change; with it flax takes the gradient's norm before the decay is added, Optax after,
so the trust ratio is written into the program.
Results agree to rounding; flax's momentum is Optax's trace with the sign turned.
"""

from .types import Agreement, Example, OptimizerRule, Support, Variant

SOURCE = """\
def lars_trust_ratio(weight_decay, trust_coefficient=0.001, eps=0.):
  \"\"\"flax.optim.LARS: the gradient's norm is taken before the decay is added.\"\"\"
  def scale(grad, param):
    param_norm, norm = jnp.linalg.norm(param), jnp.linalg.norm(grad)
    ratio = trust_coefficient * param_norm / (
        norm + weight_decay * param_norm + eps)
    ratio = jnp.where((norm == 0.) | (param_norm == 0.), 1., ratio)
    return ratio * (grad + weight_decay * param)

  return optax.stateless_with_tree_map(scale)
"""

support = Support(
    name="lars_trust_ratio",
    source=SOURCE,
    imports=("import jax.numpy as jnp", "import optax"),
    why="optax.lars takes the gradient's norm after the decay is added, flax took it before.",
)

RATIO = "trust_coefficient={trust_coefficient?}, eps={eps?}"
POSITIVE = "optax.scale({learning_rate}), optax.trace(decay={beta}, nesterov={nesterov?}), optax.scale(-1))"

rule = OptimizerRule(
    flax=(
        "flax.optim.LARS(learning_rate=None, beta=0.9, weight_decay=0, trust_coefficient=0.001, "
        "eps=0, nesterov=False)"
    ),
    variants=(
        Variant(
            when="weight_decay",
            write=(
                f"optax.chain(lars_trust_ratio({{weight_decay}}, {RATIO}), "
                "optax.scale_by_learning_rate({learning_rate}), "
                "optax.trace(decay={beta}, nesterov={nesterov?}))"
            ),
            positive=f"optax.chain(lars_trust_ratio({{weight_decay}}, {RATIO}), {POSITIVE}",
            state={"momentum": "-[2].trace"},
            needs=("lars_trust_ratio",),
            note="optax.lars takes the gradient's norm after the decay is added, flax took it before.",
        ),
        Variant(
            write=(
                f"optax.lars({{learning_rate}}, {RATIO}, momentum={{beta?}}, nesterov={{nesterov?}})"
            ),
            positive=(
                "optax.chain(optax.scale_by_trust_ratio(trust_coefficient={trust_coefficient}, "
                f"eps={{eps?}}), {POSITIVE}"
            ),
            state={"momentum": "-[3].trace"},
        ),
    ),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(
            before="optim.LARS(0.1, 0.8, nesterov=True)",
            after="optax.lars(0.1, momentum=0.8, nesterov=True)",
        ),
        Example(
            before="optim.LARS(0.1, weight_decay=1e-2, eps=1e-6)",
            after=(
                "optax.chain(lars_trust_ratio(1e-2, eps=1e-6), optax.scale_by_learning_rate(0.1), "
                "optax.trace(decay=0.9))"
            ),
        ),
    ),
)
