"""Several optimizers side by side: no two of them may share a name."""

from pathlib import Path

import pytest
from migration import migrated, told

from flax2optax.verify import compare_programs

PROGRAM = """\
import jax
import jax.numpy as jnp
from flax import optim

RATE = 0.1


def loss_fn(params, x):
  a, b = params
  return jnp.mean((jnp.tanh(x @ a['w']) @ b['v'] - x[:, :1])**2)

{made}

def probe():
  ka, kb = jax.random.split(jax.random.PRNGKey(0))
  start = {{'w': jax.random.normal(ka, (3, 4))}}, {{'v': jax.random.normal(kb, (4, 1))}}
  batches = [jax.random.normal(jax.random.PRNGKey(i), (8, 3)) for i in range(5)]
  for a, b in train(*start, batches):
    yield {{'a': a, 'b': b}}
"""
CLOSURE = """
def train(p, q, batches):
  @jax.jit
  def step({a}, {b}, x):
    ga, gb = jax.grad(loss_fn)(({a}.target, {b}.target), x)
    new_a = {a}.apply_gradient(ga)
    new_b = {b}.apply_gradient(gb)
    return new_a, new_b

  {a} = optim.Adam(RATE).create(p)
  {b} = optim.Momentum(RATE, 0.8).create(q)
  for x in batches:
    {a}, {b} = step({a}, {b}, x)
    yield {a}.target, {b}.target
"""
DEFINITIONS = CLOSURE.replace("optim.Adam(RATE)", "a_def").replace(
    "optim.Momentum(RATE, 0.8)", "b_def"
).replace(
    "  @jax.jit", "  a_def = optim.Adam(RATE)\n  b_def = optim.Momentum(RATE, 0.8)\n\n  @jax.jit"
)  # fmt: skip
FIELD = """
class Holder:
  pass


def train(p, q, batches):
  holder = Holder()
  holder.{b} = optim.Momentum(beta=0.8).create(q)
  {a} = optim.Adam(RATE).create(p)
  for x in batches:
    ga, gb = jax.grad(loss_fn)(({a}.target, holder.{b}.target), x)
    holder.{b} = holder.{b}.apply_gradient(gb, learning_rate=RATE)
    {a} = {a}.apply_gradient(ga)
    yield {a}.target, holder.{b}.target
"""
TUPLE = """
def step(holder, x):
  ga, gb = jax.grad(loss_fn)((holder['a'].target, holder['b'].target), x)
  return (holder['a'].apply_gradient(ga, learning_rate=RATE),
          holder['b'].apply_gradient(gb, learning_rate=RATE / 2))


def train(p, q, batches):
  holder = dict(a=optim.Adam().create(p), b=optim.Momentum(beta=0.8).create(q))
  for x in batches:
    holder['a'], holder['b'] = step(holder, x)
    yield holder['a'].target, holder['b'].target
"""
SHAPES = {"a closure": CLOSURE, "definitions": DEFINITIONS, "one of them in a field": FIELD}
NAMES = [("actor_optimizer", "critic_optimizer"), ("optimizer", "opt"), ("opt_a", "optimizer")]


def trained(made: str, tmp_path: Path) -> str:
    before = PROGRAM.format(made=made)
    outcome = migrated(before)
    assert told(outcome) == []
    after = outcome.changes[0].text
    for side, text in (("before", before), ("after", after)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.py").write_text(text)
    assert compare_programs(tmp_path / "before", tmp_path / "after").equal
    return after


@pytest.mark.parametrize(("a", "b"), NAMES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_two_in_one_function(shape: str, a: str, b: str, tmp_path: Path) -> None:
    trained(shape.format(a=a, b=b), tmp_path)


def test_two_steps_in_one_statement(tmp_path: Path) -> None:
    assert "apply_update(holder['a'], ga, learning_rate=RATE)" in trained(TUPLE, tmp_path)
