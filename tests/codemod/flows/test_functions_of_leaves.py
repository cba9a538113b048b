"""A program's own `jit`: arguments become leaves and a structure, and the result is put together again."""

import pytest
from migration import migrated, text_of, told

PROGRAM = """\
from functools import wraps

import jax
import jax.numpy as jnp
from flax import optim
from jax import api, linear_util as lu
from jax.api_util import argnums_partial, flatten_fun, flatten_fun_nokwargs
from jax.interpreters import partial_eval as pe
from jax.tree_util import tree_flatten, tree_unflatten
from jax._src.util import HashableFunction


def compiled(fun=None, static=()):
  def decorate(fun):
    @wraps(fun)
    def wrapper(*args, **kwargs):
WRAPPER

    @wraps(fun)
    def prepare(*args, **kwargs):
      kwargs['mode'] = 'prepare'
      return wrapper(*args, **kwargs)

    wrapper.prepare = prepare
    return wrapper

  if fun is None:
    return decorate
  api._check_callable(fun)
  return decorate(fun)


@lu.cache
def run(fun, in_tree, out_tree_thunk, *avals):
  jaxpr, _, consts = pe.trace_to_jaxpr_final(fun, avals)
  return lambda *leaves: jax.core.eval_jaxpr(jaxpr, consts, *leaves)


@compiled
def step(optimizer, batch, apply_fn):
  grads = jax.grad(lambda p: jnp.sum(apply_fn(p, batch['x'])**2))(optimizer.target)
  return optimizer.apply_gradient(grads)


@compiled(static=(1,))
def loss(optimizer, apply_fn, x):
  return optimizer, jnp.sum(apply_fn(optimizer.target, x))


def train(params, xs):
  optimizer = optim.Adam(1e-3).create(params)
  apply_fn = lambda p, x: x @ p['w']
BODY
  return optimizer.target
"""
WRAPPER = """
      mode = kwargs.pop('mode', 'run')
      f = lu.wrap_init(fun)
      if static:
        numbers = [i for i in range(len(args)) if i not in static]
        frozen = []
        for i, arg in enumerate(args):
          if i in static and isinstance(arg, dict):
            frozen.append(tuple(sorted(arg.items())))
          else:
            frozen.append(arg)
        f, dynamic = argnums_partial(f, numbers, frozen)
      else:
        dynamic = args
      flat, in_tree = tree_flatten(dynamic)
      f, out_tree = flatten_fun_nokwargs(f, in_tree)
      if mode == 'prepare':
        return tree_unflatten(in_tree, [jnp.asarray(leaf) for leaf in flat])
      out = run(f, in_tree, HashableFunction(lambda: out_tree(), closure=None), *flat)(*flat)
      return tree_unflatten(out_tree(), out)
"""
PLAIN = """
      f = lu.wrap_init(fun)
      flat, in_tree = tree_flatten((args, kwargs))
      f, out_tree = flatten_fun(f, in_tree)
      out = f.call_wrapped(*flat)
      return tree_unflatten(out_tree(), out)
"""
BODY = """
  for x in xs:
    optimizer = step(optimizer, {'x': x}, apply_fn)
    print(loss(optimizer, apply_fn, x)[1])
"""
PREPARED = """
  optimizer, batch, apply_fn = step.prepare(optimizer, {'x': xs[0]}, apply_fn)
  optimizer, value = loss(optimizer, apply_fn, batch['x'])
"""
SOME = """
  optimizer, x = loss.prepare(optimizer, apply_fn, xs[0])
  optimizer = step(optimizer, {'x': x}, apply_fn)
"""
KEYWORDS = """
  optimizer = step(optimizer, batch={'x': xs[0]}, apply_fn=apply_fn)
  print(loss(optimizer, x=xs[0], apply_fn=apply_fn)[1])
"""


def program(body: str = BODY, wrapper: str = WRAPPER) -> str:
    return PROGRAM.replace("WRAPPER", wrapper.strip("\n")).replace("BODY", body.strip("\n"))


@pytest.mark.parametrize("body", [BODY, PREPARED, SOME])
def test_a_decorator_that_compiles(body):
    before = program(body)
    outcome = migrated(before, todo=False)
    after = text_of(outcome, before)
    assert told(outcome) == []
    assert "return optimizer.apply_gradients(grads=grads)" in after
    assert "apply_fn(optimizer.params, x)" in after
    assert told(migrated(after, todo=False)) == []


@pytest.mark.parametrize("body", [BODY, KEYWORDS])
def test_arguments_by_name(body):
    before = program(body, PLAIN)
    outcome = migrated(before, todo=False)
    assert told(outcome) == []
    assert "return optimizer.apply_gradients(grads=grads)" in text_of(outcome, before)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # the structure goes where another tree may be made of it
        ("return tree_unflatten(out_tree(), out)", "return unknown.build(out_tree(), out)"),
        # what the wrapper gives back is not told by the mode any more
        ("mode = kwargs.pop('mode', 'run')", "kwargs.pop('mode', 0); mode = kwargs.pop('mode', 'run')"),
        ("wrapper.prepare = prepare", "wrapper.prepare = prepare\n    wrapper.first = FIRST"),
    ],
)  # fmt: skip
def test_what_is_lost_stops(old, new):
    before = (
        program(PREPARED)
        .replace(old, new)
        .replace("from functools", "import unknown\nfrom functools")
    )
    before = before.replace("FIRST", "optim.Adam(1e-3).create({'w': jnp.ones((3, 1))})")
    outcome = migrated(before, todo=False)
    assert text_of(outcome, before) == before
    assert told(outcome)


TRACED = """\
import jax
from flax import optim
from jax._src.api import make_jaxpr


def step(optimizer, grads):
  return optimizer.apply_gradient(grads)


def train(params, grads):
  optimizer = optim.Adam(1e-3).create(params)
  WAY
  return step(optimizer, grads).target
"""


@pytest.mark.parametrize(
    "way",
    [
        "print(jax.make_jaxpr(step)(optimizer, grads).jaxpr.eqns)",
        "print(make_jaxpr(step, static_argnums=())(optimizer, grads).jaxpr.eqns)",
        "print(jax.xla_computation(step)(optimizer, grads).as_hlo_text())",
        "_, shapes = jax.make_jaxpr(step, return_shape=True)(optimizer, grads)\n"
        "  print(shapes.target['w'].shape)",
    ],
)
def test_a_trace_is_no_optimizer(way):
    before = TRACED.replace("WAY", way)
    outcome = migrated(before, todo=False, form="state")
    assert told(outcome) == []
    assert ".target" not in text_of(outcome, before)
