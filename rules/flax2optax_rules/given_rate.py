"""A learning rate that every step gives to `update`, for optimizers beside one whose rate is not applied last.

Flax replaced the rate for one call: `apply_gradient(grads, learning_rate=...)`.
A program's own optimizer takes it as an argument of `update`, wherever its maths uses it, so its neighbours must too.
Here the transformation leaves the rate out, and ends with the one that the step passes.
"""

from .types import Support

SOURCE = """\
def scale_by_given_rate():
  \"\"\"flax.optim.Optimizer: each step gives the learning rate.\"\"\"
  def update(updates, state, params=None, *, learning_rate, **extra_args):
    del params, extra_args
    return jax.tree_util.tree_map(lambda u: -learning_rate * u, updates), state
  return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)
"""

support = Support(
    name="scale_by_given_rate",
    source=SOURCE,
    imports=("import jax", "import optax"),
    why="The steps give the learning rate, and an optimizer beside this one takes it in `update`.",
)
