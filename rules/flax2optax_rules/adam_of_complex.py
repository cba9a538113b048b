"""Adam's scaling for programs whose params may be complex numbers.

Flax squared a gradient as a number, Optax squares its magnitude; on real numbers these are the same.
The state is Optax's own, so checkpoints fit both.
"""

from .types import Support

SOURCE = """\
def scale_by_adam(b1=0.9, b2=0.999, eps=1e-8):
  \"\"\"flax.optim.Adam: squares numbers, where Optax squares magnitudes.\"\"\"
  def init(params):
    mu = jax.tree_util.tree_map(jnp.zeros_like, params)
    nu = jax.tree_util.tree_map(jnp.zeros_like, params)
    return optax.ScaleByAdamState(jnp.zeros([], jnp.int32), mu, nu)

  def update(updates, state, params=None):
    del params
    count = state.count + 1
    mu = jax.tree_util.tree_map(
        lambda g, m: b1 * m + (1 - b1) * g, updates, state.mu)
    nu = jax.tree_util.tree_map(
        lambda g, v: b2 * v + (1 - b2) * g * g, updates, state.nu)
    updates = jax.tree_util.tree_map(
        lambda m, v: m / (1 - b1**count)
        / (jnp.sqrt(v / (1 - b2**count)) + eps), mu, nu)
    return updates, optax.ScaleByAdamState(count, mu, nu)

  return optax.GradientTransformation(init, update)
"""

support = Support(
    name="scale_by_adam",
    source=SOURCE,
    imports=("import jax", "import jax.numpy as jnp", "import optax"),
    why="The program has complex numbers, of which Optax's Adam takes the magnitude.",
)
