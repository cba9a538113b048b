"""MultiOptimizer, and `create(focus=...)` which is one with a single group.

Leaves that no traversal matches are frozen in flax, and overlapping traversals are an error.
Masked chains do neither, so `optax.partition` with a label for the rest is used; the user's own traversals make the labels.
Each group's optimizer is migrated by its own rule.
Results are bitwise equal wherever the groups' are.
"""

from .types import Agreement, Example, OptimizerRule, Support, Variant

SOURCE = """\
def multi_optimizer(*traversals_and_txs):
  \"\"\"flax.optim.MultiOptimizer: leaves that no traversal matches stay frozen.\"\"\"
  def label_leaves(params):
    labels = jax.tree_util.tree_map(lambda _: 'frozen', params)
    for i, (traversal, _) in enumerate(traversals_and_txs):
      def relabel(new, old, label):
        if new is old:
          return label
        if label != 'frozen':
          raise ValueError('Multiple optimizers match the same leaves.')
        return new
      marked = traversal.update(lambda _, name=str(i): name, params)
      labels = jax.tree_util.tree_map(relabel, marked, params, labels)
    return labels

  txs = {str(i): tx for i, (_, tx) in enumerate(traversals_and_txs)}
  return optax.partition({**txs, 'frozen': optax.set_to_zero()}, label_leaves)
"""

support = Support(
    name="multi_optimizer",
    source=SOURCE,
    imports=("import jax", "import optax"),
    why="flax froze the leaves that no traversal matches; masked chains would train them.",
)

rule = OptimizerRule(
    flax="flax.optim.MultiOptimizer(*traversals_and_optimizers)",
    variants=(
        Variant(
            write="multi_optimizer({traversals_and_optimizers})",
            unscaled="multi_optimizer({traversals_and_optimizers})",
            inner=".inner_states['{group}'].inner_state",
            needs=("multi_optimizer",),
            note="Leaves that no traversal matches stay frozen, as in flax.",
        ),
    ),
    agreement=Agreement.EXACT,
    examples=(
        Example(
            before="optim.MultiOptimizer((kernels, optim.Momentum(0.01)), (biases, optim.GradientDescent(0.1)))",
            after="multi_optimizer((kernels, optax.sgd(0.01, momentum=0.9)), (biases, optax.sgd(0.1)))",
        ),
        Example(
            before="optim.MultiOptimizer((kernels, optim.GradientDescent(0.01)))",
            after="multi_optimizer((kernels, optax.sgd(0.01)))",
        ),
    ),
)
