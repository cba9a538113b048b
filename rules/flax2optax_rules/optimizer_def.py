"""The base class of the user's own optimizers.

A subclass says how one parameter starts and how one gradient is applied to it, or how all of them are.
With this base its instances are gradient transformations: the update is the new parameter less the old one.
"""

from .types import Support

SOURCE = """\
class OptimizerDef:
  \"\"\"flax.optim.OptimizerDef: makes optimizers of its interface Optax's.

  An override given to `update` holds for that one call.
  \"\"\"

  def __init__(self, hyper_params):
    self.hyper_params = hyper_params

  def __iter__(self):  # optax.chain unpacks its parts.
    return iter((self.init, self.update))

  def init(self, params):
    return self.init_state(params)

  def update(self, updates, state, params, **overrides):
    hyper_params = overrides.pop('hyper_params', self.hyper_params)
    if overrides:
      hyper_params = hyper_params.replace(**overrides)
    new_params, state = self.apply_gradient(
        hyper_params, params, state, updates)
    updates = jax.tree_util.tree_map(
        lambda new, old: new - old, new_params, params)
    return updates, state

  def init_state(self, params):
    states = jax.tree_util.tree_map(self.init_param_state, params)
    return OptimizerState(jnp.zeros([], jnp.int32), states)

  def apply_gradient(self, hyper_params, params, state, grads):
    params, treedef = jax.tree_util.tree_flatten(params)
    states = treedef.flatten_up_to(state.param_states)
    grads = treedef.flatten_up_to(grads)
    out = [
        self.apply_param_gradient(state.step, hyper_params, *leaf)
        for leaf in zip(params, states, grads)]
    states = treedef.unflatten(new for _, new in out)
    new_params = treedef.unflatten(new for new, _ in out)
    return new_params, OptimizerState(state.step + 1, states)
"""

support = Support(
    name="OptimizerDef",
    source=SOURCE,
    imports=("import jax", "import jax.numpy as jnp"),
    why="flax.optim.OptimizerDef is gone; this base turns the same methods into init and update.",
)
