"""One more array in the state, for programs that build an optimizer from arrays in a row.

Flax had the moments in front of the params, `TrainState` has them behind.
Without a counter of Optax's there are as many of them, so old files would be read with momentum for weights.
With it their number differs, and `jax.tree_util.tree_unflatten` says so.
"""

from .types import Support

SOURCE = """\
def counted():
  \"\"\"flax.optim.Optimizer: an array more, so that its rows do not fit.\"\"\"
  def init(params):
    del params
    return optax.ScaleByScheduleState(count=jnp.zeros([], jnp.int32))

  def update(updates, state, params=None):
    del params
    return updates, optax.ScaleByScheduleState(count=state.count + 1)

  return optax.GradientTransformation(init, update)
"""

support = Support(
    name="counted",
    source=SOURCE,
    imports=("import jax.numpy as jnp", "import optax"),
    why="Arrays that were stored in flax's order would be taken for others: their number is the same.",
)
