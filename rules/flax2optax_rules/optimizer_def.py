"""The base class of the user's own optimizers.

A subclass of the common shape says how one parameter starts and how one gradient is applied to it.
With this base its instances are gradient transformations: the update is the new parameter less the old one.
"""

from .types import Support

SOURCE = """\
class OptimizerDef:
  \"\"\"flax.optim.OptimizerDef: makes per-parameter optimizers Optax's.

  An override given to `update` holds for that one call.
  \"\"\"

  def __init__(self, hyper_params):
    self.hyper_params = hyper_params

  def __iter__(self):  # optax.chain unpacks its parts.
    return iter((self.init, self.update))

  def init(self, params):
    states = jax.tree_util.tree_map(self.init_param_state, params)
    return jnp.zeros([], jnp.int32), states

  def update(self, updates, state, params, **overrides):
    step, states = state
    hyper_params = overrides.pop('hyper_params', self.hyper_params)
    if overrides:
      hyper_params = hyper_params.replace(**overrides)
    params, treedef = jax.tree_util.tree_flatten(params)
    states = treedef.flatten_up_to(states)
    grads = treedef.flatten_up_to(updates)
    out = [
        self.apply_param_gradient(step, hyper_params, *leaf)
        for leaf in zip(params, states, grads)]
    updates = treedef.unflatten(new - old for (new, _), old in zip(out, params))
    return updates, (step + 1, treedef.unflatten(new for _, new in out))
"""

support = Support(
    name="OptimizerDef",
    source=SOURCE,
    imports=("import jax", "import jax.numpy as jnp"),
    why="flax.optim.OptimizerDef is gone; this base turns the same methods into init and update.",
)
