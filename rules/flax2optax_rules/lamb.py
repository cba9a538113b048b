"""LAMB.

Flax never moves a parameter whose norm is zero, a bias at its start for instance; `optax.lamb` trains it.
The trust ratio that keeps flax's behaviour is written into the program.
Flax's eps of 1e-6 is always written, `scale_by_adam` has 1e-8.
Results agree to rounding.
"""

from .types import Agreement, Example, OptimizerRule, Support, Variant

SOURCE = """\
def lamb_trust_ratio():
  \"\"\"flax.optim.LAMB: a zero-norm parameter has ratio 0 and never moves.\"\"\"
  def scale(update, param):
    param_norm, norm = jnp.linalg.norm(param), jnp.linalg.norm(update)
    return update * jnp.where(param_norm + norm > 0., param_norm / norm, 1.)

  return optax.stateless_with_tree_map(scale)
"""

support = Support(
    name="lamb_trust_ratio",
    source=SOURCE,
    imports=("import jax.numpy as jnp", "import optax"),
    why="optax.lamb trains parameters whose norm is zero, flax left them where they were.",
)

ADAM = "optax.scale_by_adam(b1={beta1?}, b2={beta2?}, eps={eps})"
DECAYED = f"{ADAM}, optax.add_decayed_weights({{weight_decay}}), lamb_trust_ratio()"
PLAIN = f"{ADAM}, lamb_trust_ratio()"
MOMENTS = {"step": "[0].count", "grad_ema": "[0].mu", "grad_sq_ema": "[0].nu"}


def _variant(when: str | None, chain: str) -> Variant:
    return Variant(
        when=when,
        write=f"optax.chain({chain}, optax.scale_by_learning_rate({{learning_rate}}))",
        unscaled=f"optax.chain({chain})",
        state=MOMENTS,
        unscaled_state=MOMENTS,
        needs=("lamb_trust_ratio",),
        note="optax.lamb would train zero-initialised parameters, which flax never moved.",
    )


rule = OptimizerRule(
    flax="flax.optim.LAMB(learning_rate=None, beta1=0.9, beta2=0.999, weight_decay=0, eps=1e-6)",
    variants=(_variant("weight_decay", DECAYED), _variant(None, PLAIN)),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(
            before="optim.LAMB(1e-2)",
            after=(
                "optax.chain(optax.scale_by_adam(eps=1e-6), lamb_trust_ratio(), "
                "optax.scale_by_learning_rate(1e-2))"
            ),
        ),
        Example(
            before="optim.LAMB(1e-2, beta2=0.99, weight_decay=0.1, eps=1e-5)",
            after=(
                "optax.chain(optax.scale_by_adam(b2=0.99, eps=1e-5), optax.add_decayed_weights(0.1), "
                "lamb_trust_ratio(), optax.scale_by_learning_rate(1e-2))"
            ),
        ),
    ),
)
