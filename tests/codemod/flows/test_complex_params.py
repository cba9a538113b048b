"""Complex params train differently under most of Optax's optimizers, so somebody must say that there are none."""

from pathlib import Path

import pytest
from migration import migrated, migrated_project, text_of, told

from flax2optax.verify import compare_programs

PROGRAM = """\
import jax
import jax.numpy as jnp
from flax import optim


def loss(params):
  return jnp.sum(jnp.abs(params['w'] - 1.)**2)


def probe():
  optimizer = optim.OPTIMIZER.create({'w': START})
  for _ in range(5):
    grads = jax.tree_util.tree_map(jnp.conj, jax.grad(loss)(optimizer.target))
    optimizer = optimizer.apply_gradient(grads)
    yield optimizer.target['w'].real, optimizer.target['w'].imag
"""
COMPLEX = "jnp.array([1. + 2.j, -3. + .5j])"
REAL = "jnp.array([1., -3.])"
MODEL = """\
from flax import linen as nn
import jax.numpy as jnp


class Spectral(nn.Module):

  @nn.compact
  def __call__(self, x):
    return x * self.param('w', lambda key: jnp.zeros(3, jnp.complex64))
"""


def compared(before: str, after: str, folder: Path) -> bool:
    for side, text in (("before", before), ("after", after)):
        (folder / side).mkdir()
        (folder / side / "train.py").write_text(text)
    return compare_programs(folder / "before", folder / "after").equal


def program(optimizer: str, start: str) -> str:
    return PROGRAM.replace("OPTIMIZER", optimizer).replace("START", start)


@pytest.mark.parametrize(
    "optimizer", ["AdaBelief(0.1)", "RMSProp(0.1)", "LAMB(0.1)", "Adafactor(0.1)"]
)
def test_it_waits_for_a_word_and_rightly_so(optimizer: str, tmp_path: Path) -> None:
    before = program(optimizer, COMPLEX)
    outcome = migrated(before, todo=False)
    assert not outcome.changes
    assert all("complex numbers" in one.help for one in told(outcome))
    after = text_of(migrated(before, unsafe=True), before)
    assert not compared(before, after, tmp_path)


@pytest.mark.parametrize(
    "optimizer",
    [
        "GradientDescent(0.1)",
        "Momentum(0.1, 0.8, nesterov=True)",
        "Adagrad(0.1)",
        "Adadelta(0.1)",
        "LARS(0.1)",
    ],
)
def test_the_others_train_complex_params_alike(optimizer: str, tmp_path: Path) -> None:
    before = program(optimizer, COMPLEX)
    outcome = migrated(before)
    assert told(outcome) == []
    assert compared(before, text_of(outcome, before), tmp_path)


ADAMS = {
    "plain": ("Adam(0.1)", ""),
    "all of its arguments": ("Adam(0.1, 0.8, 0.99, 1e-6)", ""),
    "with decay": ("Adam(0.1, beta2=0.9, weight_decay=0.05)", ""),
    "a rate from the step": ("Adam(beta1=0.8)", ", learning_rate=0.05"),
    "decay and a rate from the step": ("Adam(weight_decay=0.1)", ", learning_rate=0.05"),
    "both rates": ("Adam(0.3)", ", learning_rate=0.05"),
}


@pytest.mark.parametrize("start", [COMPLEX, "jnp.array([1., -3.]) + 0 * 1j", REAL + " * abs(1j)"])
@pytest.mark.parametrize(("optimizer", "rate"), ADAMS.values(), ids=ADAMS)
def test_adam_is_written_so_that_it_squares_as_flax_did(
    optimizer: str, rate: str, start: str, tmp_path: Path
) -> None:
    before = program(optimizer, start).replace("(grads)", f"(grads{rate})")
    outcome = migrated(before)
    assert told(outcome) == []
    after = text_of(outcome, before)
    assert " scale_by_adam(" in after
    assert compared(before, after, tmp_path)


def test_adam_whose_arguments_are_computed_waits_for_a_word() -> None:
    before = "import settings\n" + program("Adam(**settings.read())", COMPLEX)
    outcome = migrated(before, todo=False)
    assert not outcome.changes
    assert any("complex numbers" in one.help for one in told(outcome))


@pytest.mark.parametrize(
    ("model", "applied"),
    [
        (MODEL, False),
        (MODEL.replace("jnp.complex64", "'complex128'"), False),
        (MODEL.replace("jnp.complex64", "jnp.float32"), True),
        ("import tensorflow as tf\n\nTYPES = [tf.complex64]\n\n\ndef param(): ...\n", True),
        ("import jax.numpy as jnp\n\n\ndef spectrum(x):\n  return x.astype(jnp.complex64)\n", True),
    ],
)
def test_complex_params_of_a_model_in_another_file(model: str, *, applied: bool) -> None:
    trained = "import model\n" + program("RMSProp(0.1)", REAL)
    outcome = migrated_project({"train.py": trained, "model.py": model}, todo=False)
    assert bool(outcome.changes) == applied


@pytest.mark.parametrize("between", [None, "import model\n"])
def test_the_model_of_another_program_does_not_matter(between: str | None) -> None:
    texts = {"train.py": "import net\n" + program("RMSProp(0.1)", REAL), "model.py": MODEL}
    outcome = migrated_project({**texts, "net.py": between or ""}, todo=False)
    assert bool(outcome.changes) == (between is None)
