"""Adagrad.

Flax starts the sum of squares at zero and adds `eps` outside of the root; `optax.adagrad` starts at 0.1 and adds it inside.
No arguments make them equal, so the transformation is written into the program.
Results agree to rounding.
"""

from .types import Agreement, Example, OptimizerRule, Support, Variant

SOURCE = """\
def scale_by_adagrad(eps=1e-8):
  \"\"\"flax.optim.Adagrad: g / (sqrt(sum g^2) + eps), the sum starting at zero.\"\"\"
  def init(params):
    return optax.ScaleByRssState(jax.tree_util.tree_map(jnp.zeros_like, params))

  def update(updates, state, params=None):
    del params
    total = jax.tree_util.tree_map(
        lambda g, a: a + jnp.square(g), updates, state.sum_of_squares)
    updates = jax.tree_util.tree_map(
        lambda g, a: g / (jnp.sqrt(a) + eps), updates, total)
    return updates, optax.ScaleByRssState(total)

  return optax.GradientTransformation(init, update)
"""

support = Support(
    name="scale_by_adagrad",
    source=SOURCE,
    imports=("import jax", "import jax.numpy as jnp", "import optax"),
    why="optax.adagrad starts its sum at 0.1 and has eps inside the root; flax starts at 0, eps outside.",
)

rule = OptimizerRule(
    flax="flax.optim.Adagrad(learning_rate=None, eps=1e-8)",
    variants=(
        Variant(
            write="optax.chain(scale_by_adagrad(eps={eps?}), optax.scale_by_learning_rate({learning_rate}))",
            unscaled="scale_by_adagrad(eps={eps?})",
            state={"G": "[0].sum_of_squares"},
            unscaled_state={"G": ".sum_of_squares"},
            needs=("scale_by_adagrad",),
            note="optax.adagrad trains differently: it starts its sum at 0.1 and has eps inside the root.",
        ),
    ),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(
            before="optim.Adagrad(0.1)",
            after="optax.chain(scale_by_adagrad(), optax.scale_by_learning_rate(0.1))",
        ),
        Example(
            before="optim.Adagrad(0.1, eps=1e-5)",
            after="optax.chain(scale_by_adagrad(eps=1e-5), optax.scale_by_learning_rate(0.1))",
        ),
    ),
)
