"""The base class of a program's own kinds of MultiOptimizer: those that look at the params or the first state.

With this base their instances are gradient transformations, made of the same groups.
"""

from .types import Support

SOURCE = """\
class MultiOptimizer:
  \"\"\"flax.optim.MultiOptimizer, as a base of other classes.\"\"\"

  def __init__(self, *traversals_and_txs):
    self.traversals = tuple(traversal for traversal, _ in traversals_and_txs)
    self.tx = multi_optimizer(*traversals_and_txs)

  def __iter__(self):  # optax.chain unpacks its parts.
    return iter((self.init, self.update))

  def init(self, params):
    return self.init_state(params)

  def init_state(self, params):
    return self.tx.init(params)

  def update(self, updates, state, params=None, **extra_args):
    return self.tx.update(updates, state, params, **extra_args)
"""

support = Support(
    name="MultiOptimizer",
    source=SOURCE,
    imports=(),
    why="flax.optim.MultiOptimizer is gone; this base makes the class that inherits from it a transformation.",
)
