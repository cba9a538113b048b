"""Programs with a hand-written clip, and what the codemod makes of them."""

from pathlib import Path
from textwrap import dedent, indent

from flax2optax.codemod.outcome import Form, Options
from flax2optax.codemod.pipeline import migrate
from flax2optax.codemod.source import SourceFile

TREE = "jax.tree_util"
PROGRAM = """\
import functools

import jax
import jax.numpy as jnp
from flax import optim

C = 0.4
{head}

def loss_fn(params, x):
  h = jnp.tanh(x @ params['w'] + params['b'])
  return jnp.mean((h @ params['v'] - x[:, :1])**2)


def train_step(optimizer, x):
  loss, grads = jax.value_and_grad(loss_fn)(optimizer.target, x)
{step}


def probe():
  kw, kv = jax.random.split(jax.random.PRNGKey(0))
  params = {{'w': jax.random.normal(kw, (3, 4)), 'b': jnp.zeros(4), 'v': jax.random.normal(kv, (4, 1))}}
  optimizer = optim.{optimizer}.create(params)
  for i, scale in enumerate((3., 0.02, 2., 0.05, 0.1, 4.)):
    x = scale * jax.random.normal(jax.random.PRNGKey(i), (8, 3))
    optimizer, metrics = jax.jit(train_step)(optimizer, x)
    yield {{'params': optimizer.target, 'metrics': metrics}}
"""
RETURN = "return optimizer.apply_gradient(grads), loss"


def program(
    step: str, head: str = "", last: str = RETURN, optimizer: str = "Momentum(0.1, 0.9)"
) -> str:
    """A program whose step runs `step` on `grads`, then `last`."""
    lines = indent(dedent(step).strip("\n") + "\n" + dedent(last).strip("\n"), "  ")
    return PROGRAM.format(head=dedent(head).strip("\n"), step=lines, optimizer=optimizer)


def migrated(
    text: str, folder: Path, form: Form = "state", *, unsafe: bool = False
) -> tuple[str, list[tuple[str, str]]]:
    """The new text of one program, and the codes and messages of its notes about clips."""
    path = folder / "train.py"
    path.write_text(text)
    source = SourceFile(path, "train.py", text.encode(), text, str.encode, folder)
    outcome = migrate([source], Options(form, unsafe))
    said = [(one.code, one.message) for one in outcome.diagnostics if one.code.startswith("FXO6")]
    new = outcome.changes[0].text if outcome.changes else text
    return new, said


def step_lines(text: str) -> list[str]:
    """The lines of `train_step` below the gradients, without the step itself."""
    body = text.partition("def train_step")[2].partition("\n\n\n")[0].splitlines()
    start = next(i for i, line in enumerate(body) if "value_and_grad" in line)
    return [line for line in body[start + 1 :] if line.strip() and "apply_gradient" not in line]
