"""A program's own `jit`, built of what JAX is built of, trains the same afterwards."""

from pathlib import Path

import pytest
from state_programs import program, trains_the_same

HEAD = """\
from functools import wraps
from flax.training import train_state
from jax.extend import linear_util as lu
from jax.api_util import argnums_partial, debug_info, flatten_fun_nokwargs
from jax.tree_util import tree_flatten, tree_unflatten


def compiled(fun):
  @wraps(fun)
  def wrapper(*args, **kwargs):
    mode = kwargs.pop('mode', 'run')
    f = lu.wrap_init(fun, debug_info=debug_info('compiled', fun, args, kwargs))
    whole = (optim.Optimizer, train_state.TrainState)
    static = [i for i, arg in enumerate(args) if not isinstance(arg, whole) and isinstance(arg, float)]
    if static:
      dynamic_numbers = [i for i in range(len(args)) if i not in static]
      given = []
      for i, arg in enumerate(args):
        if isinstance(arg, dict):
          given.append(tuple(sorted(arg.items())))
        else:
          given.append(arg)
      f, dynamic = argnums_partial(f, dynamic_numbers, given)
    else:
      dynamic = args
    flat, in_tree = tree_flatten(dynamic)
    f, out_tree = flatten_fun_nokwargs(f, in_tree)
    if mode == 'args':
      return tree_unflatten(in_tree, flat)
    out = f.call_wrapped(*flat)
    return tree_unflatten(out_tree(), out)

  @wraps(fun)
  def prepare(*args, **kwargs):
    kwargs['mode'] = 'args'
    return wrapper(*args, **kwargs)

  wrapper.prepare = prepare
  return wrapper
"""


@pytest.mark.parametrize("wrap", ["compiled(train_step)", "jax.jit(compiled(train_step))"])
def test_a_decorator_of_functions_of_leaves(wrap: str, tmp_path: Path) -> None:
    if "jit" in wrap:  # then no argument is a number any more
        wrap = "lambda optimizer, x, lr: jax.jit(compiled(train_step))(optimizer, x, lr)"
    after = trains_the_same(program(head=HEAD, wrap=wrap), tmp_path)
    assert "(train_state.TrainState, train_state.TrainState)" in after
