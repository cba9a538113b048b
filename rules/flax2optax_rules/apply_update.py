"""One step of a train state, for a step that stands where no lines can be put in front of it.

`TrainState.apply_gradients` takes no rate, and does not take params that are one array or a tuple.
"""

from .types import Support

SOURCE = """\
def apply_update(state, grads, learning_rate=None, **extra_args):
  \"\"\"flax.optim.Optimizer.apply_gradient; `learning_rate` scales the updates.\"\"\"
  updates, opt_state = state.tx.update(
      grads, state.opt_state, state.params, **extra_args)
  if learning_rate is not None:
    updates = jax.tree_util.tree_map(lambda u: -learning_rate * u, updates)
  return state.replace(
      step=state.step + 1,
      params=optax.apply_updates(state.params, updates),
      opt_state=opt_state)
"""

support = Support(
    name="apply_update",
    source=SOURCE,
    imports=("import jax", "import optax"),
    why="The step stands inside of an expression, where no lines can be put in front of it.",
)
