"""A train state whose step is set: Adam's bias correction and every schedule count for themselves in Optax.

Flax had one counter, `optimizer.state.step`, that all of them read.
"""

from .types import Support

SOURCE = """\
def at_step(state, step):
  \"\"\"flax.optim.OptimizerState.replace(step=...): all counters move together.\"\"\"
  def move(path, leaf):
    counts = getattr(path[-1], 'name', '') in ('count', 'step')
    whole = jnp.issubdtype(jnp.result_type(leaf), jnp.integer)
    return jnp.full_like(leaf, step) if counts and whole else leaf
  opt_state = jax.tree_util.tree_map_with_path(move, state.opt_state)
  return state.replace(step=jnp.int32(step), opt_state=opt_state)
"""

support = Support(
    name="at_step",
    source=SOURCE,
    imports=("import jax", "import jax.numpy as jnp"),
    why="Optax keeps counters of its own, which move with the step.",
)
