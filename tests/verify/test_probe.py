"""`--probe` on a function that yields pytrees: they are compared beside the steps."""

import json
from pathlib import Path

import pytest

from flax2optax.cli import main

BEFORE = """
import jax.numpy as jnp
from flax import optim

def probe():
  optimizer = optim.Momentum(0.1, 0.9).create({'w': jnp.linspace(-1., 1., 3)})
  for number in range(9):
    optimizer = optimizer.apply_gradient({'w': jnp.sin(optimizer.target['w'])})
    yield {'weights': optimizer.target, 'held': optimizer.target['w'] * 2}
"""
AFTER = """
import jax.numpy as jnp
import optax

def probe():
  params, tx = {'w': jnp.linspace(-1., 1., 3)}, optax.sgd(0.1, momentum=0.9)
  state = tx.init(params)
  for number in range(9):
    updates, state = tx.update({'w': jnp.sin(params['w'])}, state, params)
    params = optax.apply_updates(params, updates)
    yield {'weights': params, 'held': params['w'] * FACTOR}
"""


@pytest.mark.parametrize(("factor", "code"), [("2.000001", 1), ("2", 0)])
def test_what_a_probe_yields_is_compared(
    factor: str,
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    for side, program in (("before", BEFORE), ("after", AFTER.replace("FACTOR", factor))):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.py").write_text(program)
    words = ["--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]
    words += ["--probe", "train:probe", "--platform", "cpu", "--no-timing", "--steps", "4", "-q"]
    assert main(["verify", *words, "--output-format", "json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["evidence"][0]["steps"] == 8
    if code:
        assert (found["step"], found["leaf"].rpartition(": ")[2]) == (1, "held")
