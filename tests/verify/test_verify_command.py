"""`flax2optax verify` from argv to the exit code."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flax2optax.cli import main

BEFORE = """
import jax
import jax.numpy as jnp
from flax import optim

def loss(params, x):
  return jnp.mean(jnp.tanh(x @ params['w'] + params['b']) ** 2)

@jax.jit
def train_step(optimizer, x):
  value, grads = jax.value_and_grad(loss)(optimizer.target, x)
  return optimizer.apply_gradient(grads), value

def setup():
  params = {'w': jax.random.normal(jax.random.PRNGKey(0), (3, 2)), 'b': jnp.zeros(2)}
  optimizer = optim.Momentum(learning_rate=0.1, beta=0.9, weight_decay=0.01).create(params)
  return optimizer, [jax.random.normal(jax.random.PRNGKey(n), (4, 3)) for n in range(40)]

def probe():
  return (train_step, *setup())

def main():
  optimizer, batches = setup()
  for x in batches:
    optimizer, _ = train_step(optimizer, x)

if __name__ == '__main__':
  main()
"""
AFTER = """
import jax
import jax.numpy as jnp
import optax
from flax.training import train_state

def loss(params, x):
  return jnp.mean(jnp.tanh(x @ params['w'] + params['b']) ** 2)

@jax.jit
def train_step(state, x):
  value, grads = jax.value_and_grad(loss)(state.params, x)
  return state.apply_gradients(grads=grads), value

def probe():
  params = {'w': jax.random.normal(jax.random.PRNGKey(0), (3, 2)), 'b': jnp.zeros(2)}
  tx = optax.chain(optax.trace(0.9), optax.add_decayed_weights(0.01), optax.scale(-0.1))
  state = train_state.TrainState.create(apply_fn=None, params=params, tx=tx)
  state = state.replace(step=jnp.int32(0))
  return train_step, state, [jax.random.normal(jax.random.PRNGKey(n), (4, 3)) for n in range(40)]
"""
ON_DEVICES_BEFORE = """
from flax import optim
def make(params):
  return optim.Momentum(0.1, 0.9).create(params)
def stepped(state, x):
  grads = jax.lax.pmean(jax.grad(loss)(state.target, x), 'batch')
  return state.apply_gradient(grads)
"""
ON_DEVICES_AFTER = """
import optax
from flax.training import train_state
def make(params):
  tx = optax.sgd(0.1, momentum=0.9)
  return train_state.TrainState.create(apply_fn=None, params=params, tx=tx).replace(step=jnp.int32(0))
def stepped(state, x):
  grads = jax.lax.pmean(jax.grad(loss)(state.params, x), 'batch')
  return state.apply_gradients(grads=grads)
"""
ON_DEVICES = """
import os
import jax
import jax.numpy as jnp
from flax import jax_utils
assert os.environ['ANOTHER']
assert jax.local_device_count() == 2

def loss(params, x):
  return jnp.mean(jnp.tanh(x @ params['w']) ** 2)

state = jax_utils.replicate(make({'w': jax.random.normal(jax.random.PRNGKey(0), (3, 2))}))
step = jax.pmap(stepped, axis_name='batch')
for n in range(40):
  state = step(state, jax.random.normal(jax.random.PRNGKey(n), (2, 4, 3)))
"""
FAST = ["--platform", "cpu", "--no-timing", "--steps", "8", "-q"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["."], "give a command after `--`, or --probe MODULE:FUNCTION, or --rules"),
        (["--", "true"], "give a PATH to migrate, or --before and --after"),
        ([".", "--before", ".", "--", "true"], "give a PATH to migrate, or --before and --after"),
        ([".", "--probe", "a:b", "--", "true"], "give a command or --probe, not both"),
        ([".", "--after", ".", "--", "true"], "--after needs --before"),
    ],
)
def test_bad_usage(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *words]) == 2
    assert message in capsys.readouterr().err


def test_no_reference_is_no_proof(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.whl").write_bytes(b"not a wheel")
    words = ["--before", str(tmp_path), "--after", str(tmp_path), "--reference"]
    assert main(["verify", *words, str(tmp_path / "other.whl"), "--", "true"]) == 2
    assert capsys.readouterr().out.startswith("? not run: ")


def test_a_mistake_in_a_probe_differs_and_its_cause_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    for side, program in (("before", BEFORE), ("after", AFTER)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.py").write_text(program)
    trees = ["--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]
    words = [*trees, "--probe", "train:probe", "--output-format", "json", *FAST]
    assert main(["verify", *words]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["answer"], found["step"]) == ("differs", 1)
    assert found["leaf"].startswith("state/momentum/")
    assert found["cause"].startswith("The weight decay is coupled differently")
    assert [one["verdict"]["equal"] for one in found["evidence"][:2]] == [False, False]


def test_the_codemods_own_work_is_proven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is migrated in a copy; the tree itself stays as it is."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    (tmp_path / "train.py").write_text(BEFORE)
    page = tmp_path.with_name(tmp_path.name + "-page.html")
    quick = [word for word in FAST if word != "--no-timing"]
    words = [str(tmp_path), "--html", str(page), *quick, "--", "python", "train.py"]
    assert main(["verify", *words]) == 0, capsys.readouterr().out
    text = capsys.readouterr().out
    assert text.startswith("✓ equal: The two programs train the same, bit for bit, over 8")
    assert "999, 1000" in text
    assert re.search(r"after / before +[0-9.]+ +[0-9.]+ +[0-9.]+\n", text)
    assert "<h2>Time and memory</h2>" in page.read_text()
    assert (tmp_path / "train.py").read_text() == BEFORE
    assert [one.name for one in tmp_path.iterdir()] == ["train.py"]
    assert "<h1>equal</h1>" in page.read_text()


def test_git_revisions_are_compared_on_several_devices_by_another_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that is run in, as it was and as it is at two commits; what is not committed does not count."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    program = tmp_path / "programs" / "train.py"
    program.parent.mkdir()
    git(tmp_path, "init", "--quiet")
    for name, text in (("old", ON_DEVICES_BEFORE), ("new", ON_DEVICES_AFTER)):
        program.write_text(text + ON_DEVICES)
        git(tmp_path, "add", ".")
        git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", name)
        git(tmp_path, "tag", name)
    program.write_text("raise SystemExit('not committed')")
    python = tmp_path / "another-python"
    python.write_text(f'#!/bin/sh\nexport ANOTHER=1\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.chdir(program.parent)
    words = ["--before", "old", "--after", "new", "--devices", "2", "--python", str(python)]
    words = [*words, *FAST, "--output-format", "json", "--", "python", "train.py"]
    assert main(["verify", *words]) == 0, capsys.readouterr().out
    found = json.loads(capsys.readouterr().out)
    assert found["devices"] == ["cpu", "cpu"]
    assert found["evidence"][0]["steps"] == 8
    assert program.read_text() == "raise SystemExit('not committed')"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True)


def test_mutants_are_caught_and_right_migrations_pass() -> None:
    """A slice of `benchmarks/verify_mutants.py`: its smallest mistake, and one that only shows at a late step."""
    script = Path(__file__).parents[2] / "benchmarks" / "verify_mutants.py"
    names = ["a tiny decay", "boundary at 1000"]
    done = subprocess.run([sys.executable, str(script), *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, counts, mutants, rights = done.stdout.splitlines()
    assert counts == "6 mutants, 6 right migrations, 0 wrong verdicts"
    assert float(mutants.rpartition(" ")[2]) >= 1000
    assert float(rights.rpartition(" ")[2]) >= 10


@pytest.mark.parametrize("other", [False, True])
def test_another_python_is_part_of_what_repeats_the_proof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, other: bool
) -> None:
    here = Path(sys.executable)
    python = f"{here.parent}/../{here.parent.name}/{here.name}"
    given = ["--python", python] if other else []
    trees = ["--before", str(tmp_path), "--after", str(tmp_path)]
    assert main(["verify", *trees, *given, "--output-format", "json", "--", "no-such-command"]) == 2
    assert (f"--python {python}" in capsys.readouterr().out) == other
