"""The moments by parameter, as flax.optim kept them, for programs that read or change them by its names.

Optax keeps one tree for each moment, somewhere in its state; which, the type that holds it says.
Of the groups of a MultiOptimizer each has the moments of its own parameters, and masks for those of the others.
"""

from .types import Support

# The classes whose moments these functions find; what is not listed here, Optax keeps otherwise.
VIEWED = frozenset({
    "Adam", "AdaBelief", "LAMB", "Momentum", "LARS", "GradientDescent", "MultiOptimizer",
})  # fmt: skip

WHY = "The program reads or changes the moments of single parameters by flax's names."

ADAM = """\
@flax.struct.dataclass
class AdamParamState:
  \"\"\"flax.optim.Adam: what it keeps for each param.\"\"\"
  grad_ema: jax.Array
  grad_sq_ema: jax.Array
"""

MOMENTUM = """\
@flax.struct.dataclass
class MomentumParamState:
  \"\"\"flax.optim.Momentum: what it keeps for each param.\"\"\"
  momentum: jax.Array
"""

KEPT = """\
def kept_moments(node):
  \"\"\"flax.optim.OptimizerState: a record, and what Optax calls its fields.\"\"\"
  if isinstance(node, (optax.ScaleByAdamState, optax.ScaleByBeliefState)):
    return AdamParamState, {'grad_ema': 'mu', 'grad_sq_ema': 'nu'}
  if isinstance(node, optax.TraceState):
    return MomentumParamState, {'momentum': 'trace'}
  return (None, {}) if hasattr(node, 'param_states') else None
"""

READ = """\
def param_states_of(opt_state, params=None):
  \"\"\"flax.optim.OptimizerState.param_states: a record for each param.\"\"\"
  def is_masked(node):
    return isinstance(node, optax.MaskedNode)

  def is_kept(node):
    return kept_moments(node) is not None

  trees = []
  for node in jax.tree_util.tree_leaves(opt_state, is_leaf=is_kept):
    record, fields = kept_moments(node) or (None, {})
    if record is not None:
      moments = [getattr(node, moment) for moment in fields.values()]
      trees.append(jax.tree_util.tree_map(record, *moments))
    elif hasattr(node, 'param_states'):
      trees.append(node.param_states)
  nodes = jax.tree_util.tree_leaves(trees, is_leaf=is_masked)
  if len(trees) == 1 and not any(map(is_masked, nodes)):
    return trees[0]
  none = None if trees else ()  # what no group trains, what has no moments
  return jax.tree_util.tree_map(
      lambda _, *found: next((x for x in found if not is_masked(x)), none),
      params, *trees)
"""

WRITTEN = """\
def with_param_states(opt_state, param_states):
  \"\"\"flax.optim.OptimizerState.replace(param_states=...): other moments.\"\"\"
  def is_masked(node):
    return isinstance(node, optax.MaskedNode)

  def is_kept(node):
    return kept_moments(node) is not None

  def pick(old, name=''):
    get = (lambda x: getattr(x, name)) if name else (lambda x: x)
    if any(map(is_masked, jax.tree_util.tree_leaves(old, is_leaf=is_masked))):
      return jax.tree_util.tree_map(
          lambda x, new: x if is_masked(x) else get(new),
          old, param_states, is_leaf=is_masked)
    return jax.tree_util.tree_map(
        get, param_states, is_leaf=lambda x: bool(name) and hasattr(x, name))

  def put(node):
    record, fields = kept_moments(node) or (None, {})
    if record is not None:
      return node._replace(**{
          moment: pick(getattr(node, moment), name)
          for name, moment in fields.items()})
    if hasattr(node, 'param_states'):
      return node.replace(param_states=pick(node.param_states))
    return node
  return jax.tree_util.tree_map(put, opt_state, is_leaf=is_kept)
"""

supports = (
    Support("AdamParamState", ADAM, ("import flax", "import jax"), WHY),
    Support("MomentumParamState", MOMENTUM, ("import flax", "import jax"), WHY),
    Support("kept_moments", KEPT, ("import optax",), WHY),
    Support("param_states_of", READ, ("import jax", "import optax"), WHY),
    Support("with_param_states", WRITTEN, ("import jax", "import optax"), WHY),
)
# What reading needs, and writing beside it.
READING = ("AdamParamState", "MomentumParamState", "kept_moments", "param_states_of")
WRITING = ("AdamParamState", "MomentumParamState", "kept_moments", "with_param_states")
