"""What the new lines must not change: the order of evaluation, and what a name of the program means."""

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
  return jnp.mean((jnp.tanh(x @ params['w']) - x[:, :1])**2)


def batches():
  return [jax.random.normal(jax.random.PRNGKey(i), (8, 3)) for i in range(6)]


def start():
  return {'w': jax.random.normal(jax.random.PRNGKey(9), (3, 1))}

BODY
"""
TRAINED = {
    "a definition bound again": """
def probe():
  d = optim.Adam(RATE)
  a = d.create(start())
  d = optim.Adam(RATE / 10)
  b = d.create(start())
  for x in batches():
    a = a.apply_gradient(jax.grad(loss_fn)(a.target, x))
    b = b.apply_gradient(jax.grad(loss_fn)(b.target, x))
    yield {'a': a.target, 'b': b.target}
""",
    "a definition bound again and not used": """
def probe():
  d = optim.Adam(RATE)
  a = d.create(start())
  d = optim.Momentum(RATE)
  for x in batches():
    a = a.apply_gradient(jax.grad(loss_fn)(a.target, x))
    yield {'a': a.target}
""",
    "a definition that is deleted": """
def probe():
  d = optim.Adam(RATE)
  a = d.create(start())
  del d
  for x in batches():
    a = a.apply_gradient(jax.grad(loss_fn)(a.target, x))
    yield {'a': a.target}
""",
    "a definition of the module that a function sets": """
d = optim.Adam(RATE)
a = d.create(start())


def setup(rate):
  global d
  d = optim.Adam(rate)


def probe():
  global a
  setup(RATE / 10)
  for x in batches():
    a = a.apply_gradient(jax.grad(loss_fn)(a.target, x))
    yield {'a': a.target}
""",
    "a rate called u": """
def probe():
  a = optim.Momentum(beta=0.8).create(start())
  for i, x in enumerate(batches()):
    u = RATE / (i + 1)
    a = a.apply_gradient(jax.grad(loss_fn)(a.target, x), learning_rate=u)
    yield {'a': a.target}
""",
    "a rate called u of a field": """
class Box:
  pass


def probe():
  box = Box()
  box.a = optim.Momentum(beta=0.8).create(start())
  for i, x in enumerate(batches()):
    u = RATE / (i + 1)
    box.a = box.a.apply_gradient(jax.grad(loss_fn)(box.a.target, x), learning_rate=u)
    yield {'a': box.a.target}
""",
    "first params that a closure reads": """
def probe():
  params = start()

  def objective(p, x):
    return loss_fn(p, x) + jnp.sum((p['w'] - params['w'])**2)

  optimizer = optim.Adam(RATE).create(params)
  for x in batches():
    optimizer = optimizer.apply_gradient(jax.grad(objective)(optimizer.target, x))
    yield {'a': optimizer.target}
""",
    "gradients before the rate": """
def probe():
  count = []

  def grads(p, x):
    count.append(1)
    return jax.grad(loss_fn)(p, x)

  optimizer = optim.Momentum(beta=0.8).create(start())
  for x in batches():
    optimizer = optimizer.apply_gradient(grads(optimizer.target, x), learning_rate=RATE / len(count))
    yield {'a': optimizer.target}
""",
    "gradients before a rate in the state": """
def probe():
  rates = iter(range(1, 99))

  def grads(p, x):
    next(rates)
    return jax.grad(loss_fn)(p, x)

  optimizer = optim.LARS().create(start())
  for x in batches():
    optimizer = optimizer.apply_gradient(grads(optimizer.target, x), learning_rate=RATE / next(rates))
    yield {'a': optimizer.target}
""",
    "something before the step": """
def probe():
  rates = iter(range(1, 99))
  optimizer = optim.Momentum(beta=0.8).create(start())
  for x in batches():
    g = jax.grad(loss_fn)(optimizer.target, x)
    s, optimizer = next(rates), optimizer.apply_gradient(g, learning_rate=RATE / next(rates))
    yield {'a': optimizer.target}
""",
}
REFUSED = {
    "jax is a loop variable": """
def probe():
  a = optim.Momentum(beta=0.8).create(start())
  for jax, x in enumerate(batches()):
    a = a.apply_gradient({'w': a.target['w'] * jnp.mean(x)}, learning_rate=RATE)
    yield {'a': a.target}
""",
    "a variable called like what the steps override": """
def probe():
  weight_decay = 0.1
  a = optim.Adam(RATE, eps=weight_decay, weight_decay=0.2).create(start())
  for x in batches():
    g = jax.grad(loss_fn)(a.target, x)
    a = a.apply_gradient(g, learning_rate=RATE / 2, weight_decay=0.01)
    yield {'a': a.target}
""",
}


@pytest.mark.parametrize("body", TRAINED.values(), ids=TRAINED)
def test_the_program_trains_the_same(body: str, tmp_path: Path) -> None:
    before = PROGRAM.replace("BODY", body)
    outcome = migrated(before)
    assert told(outcome) == []
    for side, text in (("before", before), ("after", outcome.changes[0].text)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.py").write_text(text)
    verdict = compare_programs(tmp_path / "before", tmp_path / "after")
    assert verdict.equal, outcome.changes[0].text


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_apart_is_refused(body: str) -> None:
    outcome = migrated(PROGRAM.replace("BODY", body), todo=False)
    assert not outcome.changes
    assert told(outcome)
