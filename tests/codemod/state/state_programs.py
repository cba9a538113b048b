"""Programs that train, what the codemod makes of them in the state form, and whether that trains the same."""

from pathlib import Path
from textwrap import dedent, indent

from migration import check_refused, migrated, told

from flax2optax.verify import compare_programs

PROGRAM = """\
import functools

import jax
import jax.numpy as jnp
from flax import optim
from flax.traverse_util import ModelParamTraversal

RATE = 0.1
{head}

def loss_fn(params, x):
  h = jnp.tanh(x @ params['w'] + params['b'])
  return jnp.mean((h @ params['v'] - x[:, :1])**2)


def train_step(optimizer, x, lr):
  grads = jax.grad(loss_fn)(optimizer.target, x)
{step}


def make(params):
{make}


def probe():
  kw, kv = jax.random.split(jax.random.PRNGKey(0))
  params = {{'w': jax.random.normal(kw, (3, 4)), 'b': jnp.zeros(4), 'v': jax.random.normal(kv, (4, 1))}}
  optimizer = make(params)
  step = {wrap}
  for i in range(6):
    x = jax.random.normal(jax.random.PRNGKey(i), (8, 3))
    optimizer = step(optimizer, x, 0.2 / (i + 1))
    yield {{'params': optimizer.target}}
"""
STEP = "return optimizer.apply_gradient(grads, learning_rate=lr)"
MAKE = "return optim.Momentum(RATE, 0.8).create(params)"


def program(
    step: str = STEP, make: str = MAKE, head: str = "", wrap: str = "jax.jit(train_step)"
) -> str:
    """A program whose step runs `step` on `grads` and whose `make` makes the optimizer."""
    return PROGRAM.format(
        step=_body(step), make=_body(make), head=dedent(head).strip("\n"), wrap=wrap
    )


def trains_the_same(before: str, tmp_path: Path) -> str:
    """Migrate a program, train both, and return the new text."""
    outcome = migrated(before, form="state")
    assert told(outcome) == []
    after = outcome.changes[0].text
    for side, text in (("before", before), ("after", after)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.py").write_text(text)
    verdict = compare_programs(tmp_path / "before", tmp_path / "after")
    assert verdict.equal, verdict
    return after


def refused(before: str, code: str) -> None:
    """Nothing changes, whichever form is asked for."""
    check_refused(before, code)
    check_refused(before, code, form="state")


def _body(text: str) -> str:
    return indent(dedent(text).strip("\n"), "  ")
