"""The moments by parameter, as flax.optim kept them, for programs that read or change them by its names.

Optax keeps one tree for each moment, somewhere in its state; which, the type that holds it says.
"""

from .types import Support

# The classes whose moments the support finds; what is not listed here, Optax keeps otherwise.
VIEWED = frozenset({
    "Adam", "AdaBelief", "LAMB", "Momentum", "LARS", "GradientDescent", "MultiOptimizer",
})  # fmt: skip

SOURCE = """\
@flax.struct.dataclass
class AdamParamState:
  \"\"\"flax.optim.Adam: what each param has.\"\"\"
  grad_ema: jax.Array
  grad_sq_ema: jax.Array


@flax.struct.dataclass
class MomentumParamState:
  \"\"\"flax.optim.Momentum: what each param has.\"\"\"
  momentum: jax.Array


PARAM_STATES = {
    optax.ScaleByAdamState: (AdamParamState, ('mu', 'nu')),
    optax.ScaleByBeliefState: (AdamParamState, ('mu', 'nu')),
    optax.TraceState: (MomentumParamState, ('trace',)),
}


def has_param_states(node):
  return type(node) in PARAM_STATES or hasattr(node, 'param_states')


def is_masked(node):
  return isinstance(node, optax.MaskedNode)


def is_of_some(tree):
  \"\"\"Whether other groups of params have optimizers of their own.\"\"\"
  return any(map(is_masked, jax.tree_util.tree_leaves(tree, is_leaf=is_masked)))


def param_states_of(opt_state, params=None):
  \"\"\"flax.optim: a tree like params, with the moments of each in a record.\"\"\"
  trees = []
  for node in jax.tree_util.tree_leaves(opt_state, is_leaf=has_param_states):
    if type(node) in PARAM_STATES:
      record, moments = PARAM_STATES[type(node)]
      trees.append(jax.tree_util.tree_map(
          record, *(getattr(node, moment) for moment in moments)))
    elif has_param_states(node):
      trees.append(node.param_states)
  if len(trees) == 1 and not is_of_some(trees[0]):
    return trees[0]
  return jax.tree_util.tree_map(
      lambda _, *found: next((x for x in found if not is_masked(x)), None),
      params, *trees)


def with_param_states(opt_state, records):
  \"\"\"flax.optim: the state with other moments, given in records.\"\"\"
  def pick(old, record, name):
    if is_of_some(old):
      return jax.tree_util.tree_map(
          lambda x, new: x if is_masked(x) else getattr(new, name),
          old, records, is_leaf=is_masked)
    return jax.tree_util.tree_map(
        lambda new: getattr(new, name), records,
        is_leaf=lambda x: isinstance(x, record))

  def put(node):
    if type(node) in PARAM_STATES:
      record, moments = PARAM_STATES[type(node)]
      fields = zip(moments, record.__dataclass_fields__)
      return node._replace(**{
          moment: pick(getattr(node, moment), record, name)
          for moment, name in fields})
    if has_param_states(node) and is_of_some(node.param_states):
      return node.replace(param_states=jax.tree_util.tree_map(
          lambda x, new: x if is_masked(x) else new,
          node.param_states, records, is_leaf=is_masked))
    return node.replace(param_states=records) if has_param_states(node) else node
  return jax.tree_util.tree_map(put, opt_state, is_leaf=has_param_states)
"""

support = Support(
    name="param_states_of",
    source=SOURCE,
    imports=("import flax", "import jax", "import optax"),
    why="The program reads or changes the moments of single parameters by flax's names.",
)
