"""WeightNorm around another optimizer, as flax had it since 0.4.0.

Optax has no such thing: the transformation that trains direction and length of each kernel is written into the program.
The update is not proportional to the rate, so no step can multiply it in afterwards.
Results agree to rounding.
"""

from .types import Agreement, Example, OptimizerRule, Support, Variant

SOURCE = """\
def weight_norm(inner, wn_decay=0, wn_eps=1e-8):
  \"\"\"flax.optim.WeightNorm: trains direction and length of each kernel.

  The last axis of a kernel is its output, vectors are left alone.
  \"\"\"
  tree_map = jax.tree_util.tree_map

  def is_kernel(x):
    return x.size > x.shape[-1]

  def squared_norm(x):
    return jnp.square(x).sum(tuple(range(x.ndim - 1)), keepdims=True) + wn_eps

  def merge(parts):
    def merge_param(direction, scale):
      if not is_kernel(direction):
        return direction
      return direction * (scale * jax.lax.rsqrt(squared_norm(direction)))
    return tree_map(merge_param, parts['direction'], parts['scale'])

  def init(params):
    scale = tree_map(
        lambda p: jnp.sqrt(squared_norm(p)) if is_kernel(p) else (), params)
    direction = tree_map(
        lambda p, s: p / s if is_kernel(p) else p, params, scale)
    parts = {'direction': direction, 'scale': scale}
    return parts, inner.init(parts)

  def update(updates, state, params):
    parts, inner_state = state
    grads, = jax.vjp(merge, parts)[1](updates)
    grads['direction'] = tree_map(
        lambda d, g: g + wn_decay * d if is_kernel(d) else g,
        parts['direction'], grads['direction'])
    updates, inner_state = inner.update(grads, inner_state, parts)
    parts = optax.apply_updates(parts, updates)
    updates = tree_map(lambda new, old: new - old, merge(parts), params)
    return updates, (parts, inner_state)

  return optax.GradientTransformation(init, update)
"""

support = Support(
    name="weight_norm",
    source=SOURCE,
    imports=("import jax", "import jax.numpy as jnp", "import optax"),
    why="Optax has no transformation that trains direction and length of each kernel.",
)

rule = OptimizerRule(
    flax="flax.optim.WeightNorm(wrapped_optimizer, wn_decay=0, wn_eps=1e-8)",
    variants=(
        Variant(
            write="weight_norm({wrapped_optimizer}, wn_decay={wn_decay?}, wn_eps={wn_eps?})",
            state={"direction": "[0]['direction']", "scale": "[0]['scale']"},
            inner="[1]",
            parts={"direction": "direction_state", "scale": "scale_state"},
            needs=("weight_norm",),
            note="Optax has no weight normalisation of its own.",
        ),
    ),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(
            before="optim.WeightNorm(optim.Momentum(0.1))",
            after="weight_norm(optax.sgd(0.1, momentum=0.9))",
        ),
        Example(
            before="optim.WeightNorm(optim.Adam(1e-2), wn_decay=0.01, wn_eps=1e-6)",
            after="weight_norm(optax.adam(1e-2), wn_decay=0.01, wn_eps=1e-6)",
        ),
    ),
)
