"""What a proof costs: `flax2optax verify` on a program of MNIST's size, for ten steps, and for twice as many.

    python benchmarks/verify_mnist.py [--steps N]

Prints seconds, CPU seconds, the largest peak memory of the programs and of the comparison, and what was recorded.
The memory must not grow with the steps: recordings are streamed to disk and read back one step at a time.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).parents[1]
MEBI = 1024  # ru_maxrss counts KiB
GROWTH = 1.15
"""Ten more steps are 200 MiB more in each recording."""
PROGRAM = '''"""The convolutional network of Flax's MNIST example, on images made up here."""

from flax import linen as nn
from flax import optim
import jax
import jax.numpy as jnp


class CNN(nn.Module):
  """825,034 parameters."""

  @nn.compact
  def __call__(self, x):
    x = nn.avg_pool(nn.relu(nn.Conv(32, (3, 3))(x)), (2, 2), strides=(2, 2))
    x = nn.avg_pool(nn.relu(nn.Conv(64, (3, 3))(x)), (2, 2), strides=(2, 2))
    x = nn.relu(nn.Dense(256)(x.reshape((x.shape[0], -1))))
    return nn.log_softmax(nn.Dense(10)(x))


def loss(params, images, labels):
  return -jnp.mean(jnp.sum(jax.nn.one_hot(labels, 10) * CNN().apply({'params': params}, images), axis=-1))


@jax.jit
def train_step(optimizer, images, labels):
  value, grads = jax.value_and_grad(loss)(optimizer.target, images, labels)
  return optimizer.apply_gradient(grads), value


def main():
  params = CNN().init(jax.random.PRNGKey(0), jnp.ones((1, 28, 28, 1)))['params']
  optimizer = optim.Momentum(learning_rate=0.1, beta=0.9).create(params)
  for step in range(1000):
    keys = jax.random.split(jax.random.PRNGKey(step))
    images = jax.random.uniform(keys[0], (128, 28, 28, 1))
    optimizer, _ = train_step(optimizer, images, jax.random.randint(keys[1], (128,), 0, 10))


if __name__ == '__main__':
  main()
'''


def main() -> int:
    """1 where a proof fails, or the memory grows with the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        return measure(given.measure, given.steps)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "train.py").write_text(PROGRAM)
        few = call(folder, given.steps)
        many = call(folder, 2 * given.steps)
    grown = [later / earlier for earlier, later in zip(few, many, strict=True)]
    print(f"memory, twice the steps: programs {grown[0]:.2f}, comparison {grown[1]:.2f}")
    return int(max(grown) > GROWTH)


def call(folder: str, steps: int) -> list[int]:
    """The two peaks of one proof, in a process of its own because peaks never fall."""
    command = [sys.executable, __file__, "--measure", folder, "--steps", str(steps)]
    roots = os.pathsep.join([str(TOP / "migrator"), str(TOP / "rules")])
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": roots},
    )
    print(done.stdout, end="", flush=True)
    return [int(word) for word in done.stdout.splitlines()[-1].split() if word.isdigit()][-2:]


def measure(folder: str, steps: int) -> int:
    """One proof, told in two lines."""
    from flax2optax.cli import main as flax2optax

    begun = time.monotonic()
    words = ["verify", folder, "--platform", "cpu", "--steps", str(steps), "-q"]
    code = flax2optax([*words, "--", "python", "train.py"])
    seconds = time.monotonic() - begun
    programs, own = (
        resource.getrusage(one) for one in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    )
    used = sum(one.ru_utime + one.ru_stime for one in (programs, own))
    print(
        f"{steps} steps: {seconds:.0f} s, {used:.0f} s of CPU, peak MiB of the programs "
        f"{programs.ru_maxrss // MEBI} and of the comparison {own.ru_maxrss // MEBI}"
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
