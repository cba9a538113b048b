"""A learning rate that every step gives to `update`, for optimizers that do not apply it last.

LARS has the rate inside of its momentum, and Adafactor in front of its decay: no step can multiply it in afterwards.
The state does not depend on the rate, so the transformation is made anew around the one that the step passes.
"""

from .types import Support

SOURCE = """\
def with_given_rate(make):
  \"\"\"flax.optim.Optimizer: each step gives the rate, which is inside.\"\"\"
  def update(updates, state, params=None, *, learning_rate, **extra_args):
    del extra_args
    return make(learning_rate).update(updates, state, params)
  return optax.GradientTransformationExtraArgs(make(0.).init, update)
"""

support = Support(
    name="with_given_rate",
    source=SOURCE,
    imports=("import optax",),
    why="The steps give the learning rate, which this optimizer does not apply last.",
)
