"""A learning rate of its own for each group of a MultiOptimizer, where the groups take it as an argument of `update`.

That is so beside an optimizer of the program's own, and beside one that does not apply its rate last.
A step gives one rate to all groups as `learning_rate`, or each its own as `learning_rates`.
"""

from .types import Support

SOURCE = """\
def with_group_rate(group, tx):
  \"\"\"flax.optim.MultiOptimizer: a step gives one rate, or one per group.\"\"\"
  def update(updates, state, params=None, *, learning_rates=None, **extra_args):
    if learning_rates is not None:
      extra_args['learning_rate'] = learning_rates[group]
    return tx.update(updates, state, params, **extra_args)
  return optax.GradientTransformationExtraArgs(tx.init, update)
"""

support = Support(
    name="with_group_rate",
    source=SOURCE,
    imports=("import optax",),
    why="The steps give every group of the MultiOptimizer a learning rate of its own.",
)
