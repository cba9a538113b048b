"""A learning rate of its own for each group of a MultiOptimizer, given by every step.

Flax replaced the hyperparameters of each group for one call: `apply_gradient(grads, hyper_params=[...])`.
Here each group's transformation leaves the rate out, and ends with the one that the step passes to `update`.
"""

from .types import Support

SOURCE = """\
def scale_by_group_rate(group):
  \"\"\"flax.optim.MultiOptimizer: each step gives the rate of each group.\"\"\"
  def update(updates, state, params=None, *, learning_rates, **extra_args):
    del params, extra_args
    rate = learning_rates[group]
    return jax.tree_util.tree_map(lambda u: -rate * u, updates), state
  return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)
"""

support = Support(
    name="scale_by_group_rate",
    source=SOURCE,
    imports=("import jax", "import optax"),
    why="The steps give every group of the MultiOptimizer a learning rate of its own.",
)
