"""The explicit form over several files: every signature, call, return and argument number, or one object as before."""

from pathlib import Path

import pytest
from migration import migrated_program, migrated_project, text_of, told

from flax2optax.verify import compare_programs

TRAIN = """\
import jax
import jax.numpy as jnp
import measured
from flax import optim


def loss_fn(params, x):
  return jnp.mean((jnp.tanh(x @ params['w']) - x[:, :1])**2)


def train(params, batches):
  optimizer = optim.Adam(0.1).create(params)

  def step(optimizer, x):
    grads = jax.grad(loss_fn)(optimizer.target, x)
    return optimizer.apply_gradient(grads), jnp.mean(x)

  fast_step = jax.jit(step)
  for x in batches:
    optimizer, mean = fast_step(optimizer, x)
    CALL
    yield optimizer
"""
MEASURE = """\
import functools

import jax
import jax.numpy as jnp


def measure(scale, optimizer, x):
  return scale * jnp.mean(x @ optimizer.target['w'])
"""
COMPILED = MEASURE + "\n\nfast_measure = jax.jit(measure, static_argnums=0)\n"
CHOSEN = """\
def chosen(old, new, *, keep):
  if keep:
    return old
  return new
"""
SHRUNK = (
    MEASURE
    + """

@functools.partial(jax.jit, static_argnums=(1, 3))
def shrunk(optimizer, factor, x, times):
  return measure(factor, optimizer=optimizer, x=x) * times, optimizer
"""
)
MAIN = """\
import jax
from train import train


def probe():
  batches = [jax.random.normal(jax.random.PRNGKey(i), (8, 3)) for i in range(5)]
  for optimizer in train({'w': jax.random.normal(jax.random.PRNGKey(9), (3, 1))}, batches):
    yield optimizer.target
"""
PLAIN_MAIN = MAIN.replace("for optimizer in", "for params in").replace("optimizer.target", "params")
PLAIN_TRAIN = TRAIN.replace("yield optimizer", "yield optimizer.target")
CALLS = {
    "positional": (MEASURE, "measured.measure(2., optimizer, x)", "measured.measure(2., params, opt_state, x)"),
    "keyword": (MEASURE,
        "measured.measure(2., x=x, optimizer=optimizer)",
        "measured.measure(2., x=x, params=params, opt_state=opt_state)",
    ),
    "two of them": (CHOSEN,
        "optimizer = measured.chosen(optimizer, optimizer, keep=True)",
        "params, opt_state = measured.chosen(params, opt_state, params, opt_state, keep=True)",
    ),
    "argument numbers of a decorator there": (SHRUNK,
        "_, optimizer = measured.shrunk(optimizer, 3, x, 2)",
        "_, params, opt_state = measured.shrunk(params, opt_state, 3, x, 2)",
    ),
    "argument numbers of a call there": (COMPILED,
        "measured.fast_measure(2, optimizer, x)",
        "measured.fast_measure(2, params, opt_state, x)",
    ),
}  # fmt: skip


def program(call: str, measured: str = MEASURE) -> dict[str, str]:
    return {
        "train.py": PLAIN_TRAIN.replace("CALL", call),
        "measured.py": measured,
        "main.py": PLAIN_MAIN,
    }


@pytest.mark.parametrize(("measured", "call", "expected"), CALLS.values(), ids=CALLS)
def test_signatures_and_calls_change_together(
    measured: str, call: str, expected: str, tmp_path: Path
) -> None:
    before = program(call, measured)
    outcome = migrated_project(before)
    assert told(outcome) == []
    after = {name: text_of(outcome, text, name) for name, text in before.items()}
    assert expected in after["train.py"]
    assert "opt_state" in after["measured.py"]
    for side, texts in (("before", before), ("after", after)):
        (tmp_path / side).mkdir()
        for name, text in texts.items():
            (tmp_path / side / name).write_text(text)
    verdict = compare_programs(tmp_path / "before", tmp_path / "after", "main:probe")
    assert verdict.equal, after["train.py"]


def test_parameters_get_names_that_are_free_in_their_own_file() -> None:
    texts = program("measured.measure(2., optimizer, x)")
    texts["measured.py"] = MEASURE.replace("scale, opt", "params, opt").replace(
        "scale *", "params *"
    )
    outcome = migrated_project(texts)
    assert told(outcome) == []
    assert "def measure(params, optimizer_params, optimizer_state, x):" in text_of(
        outcome, "", "measured.py"
    )


def test_argument_numbers_of_the_other_file() -> None:
    after = text_of(
        migrated_project(program("measured.fast_measure(2, optimizer, x)", COMPILED)),
        "",
        "measured.py",
    )
    assert "fast_measure = jax.jit(measure, static_argnums=0)" in after
    after = text_of(
        migrated_project(program("_, optimizer = measured.shrunk(optimizer, 3, x, 2)", SHRUNK)),
        "",
        "measured.py",
    )
    assert "@functools.partial(jax.jit, static_argnums=(2, 4))" in after


AT_THE_TOP = """\
from flax import optim

opt_def = optim.Adam(0.1)
optimizer = opt_def.create({'w': 1.})
optimizer = optimizer.apply_gradient({'w': 2.})
"""


@pytest.mark.parametrize(
    "other",
    [
        "from train import opt_def\nprint(opt_def)\n",
        "from train import optimizer as first, opt_def\nprint(first.target)\n",
        "import train\nprint(train.opt_def, train.optimizer)\n",
        "from train import *\nprint(opt_def)\n",
    ],
)
def test_a_name_that_another_file_reads_stays(other: str) -> None:
    texts = {"train.py": AT_THE_TOP, "other.py": other}
    outcome = migrated_project(texts)
    assert told(outcome) == []
    after = text_of(outcome, AT_THE_TOP, "train.py")
    assert "\nopt_def = optax.adam(0.1)\n" in after
    assert ("\noptimizer = " in after) == ("optimizer" in other or "*" in other)


def test_a_name_at_the_top_that_nobody_reads_goes() -> None:
    outcome = migrated_project({"train.py": AT_THE_TOP, "other.py": "optimizer = 'train'\n"[:12]})
    assert "\ntx = optax.adam(0.1)\n" in text_of(outcome, "", "train.py")


IMPORTED = """\
import jax
from made import opt_def


def train(params, grads):
  optimizer = opt_def.create(params)
  optimizer = optimizer.apply_gradient(grads)
  return optimizer.target
"""
MADE = "from flax import optim\n\nopt_def = optim.Adam(0.1)\n"


@pytest.mark.parametrize(
    "text", [IMPORTED, IMPORTED.replace("from made import opt_def\n", "").replace(
        "  optimizer = opt_def.c", "  from made import opt_def\n  optimizer = opt_def.c")]
)  # fmt: skip
def test_a_definition_that_was_imported_keeps_its_name(text: str) -> None:
    outcome = migrated_program({"made.py": MADE, "train.py": text})
    assert told(outcome) == []
    after = text_of(outcome, text)
    assert "from made import opt_def\n" in after
    assert "opt_state = opt_def.init(params)" in after
    assert text_of(outcome, MADE, "made.py") == "import optax\n\nopt_def = optax.adam(0.1)\n"


def test_a_step_in_a_file_that_cannot_see_the_transformation_keeps_one_object() -> None:
    texts = {
        "train.py": IMPORTED.replace(
            "optimizer = optimizer.apply_gradient(grads)", "optimizer = step(optimizer, grads)"
        ).replace("import jax\n", "from stepping import step\n"),
        "stepping.py": "def step(optimizer, grads):\n  return optimizer.apply_gradient(grads)\n",
        "made.py": MADE,
    }
    outcome = migrated_program(texts)
    assert told(outcome) == []
    assert "apply_gradients(grads=grads)" in text_of(outcome, "", "stepping.py")


def test_axes_of_a_function_that_returns_it_keep_one_object() -> None:
    text = """\
import jax
from flax import optim


def train(params, grads):
  opt_def = optim.Adam(0.1)

  def start(params):
    return opt_def.create(params), 1.

  optimizer, one = jax.vmap(start, out_axes=(0, None))(params)
  return optimizer.target, one
"""
    outcome = migrated_program({"train.py": text})
    assert told(outcome) == []
    assert "TrainState" in text_of(outcome, text)


ADOPTED = """\
from flax import optim


def make(params):
  opt_def = optim.Adam(0.1)
  return opt_def.create(params)


def train(params, grads):
  OPTIMIZER
  return optimizer.target
"""


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ("optimizer = make(params)", "  params, opt_state = make(params)\n"),
        ("optimizer = make(params); print(params)", "  optimizer_params, optimizer_state = "),
        ("optimizer = make(grads)", "  optimizer_params, optimizer_state = make(grads)\n"),
        (
            "for optimizer, n in [(make(grads), 1)]:\n    pass\n  optimizer = make(params)",
            "TrainState",
        ),
    ],
)
def test_params_that_something_is_made_from_keep_their_name(made: str, expected: str) -> None:
    outcome = migrated_program({"train.py": ADOPTED.replace("OPTIMIZER", made)})
    assert told(outcome) == []
    assert expected in text_of(outcome, "")


def test_a_parameter_beside_its_params_gets_names_of_its_own() -> None:
    text = ADOPTED.replace("def train(params, grads):", "def train(optimizer, params):").replace(
        "OPTIMIZER", "optimizer = make(params)"
    )
    outcome = migrated_program({"train.py": text + "\n\nstart = make({})\ntrain(start, {})\n"})
    assert told(outcome) == []
    assert "def train(optimizer_params, optimizer_state, params):" in text_of(outcome, "")


WRAPPED = """\
import functools

import jax
from flax import optim

NAMES = ('optimizer',)


def scaled(fun, at=1):
  def call(*args):
    return fun(*[x * 2 if i == at else x for i, x in enumerate(args)])
  return call


def train(params, grads):
  opt_def = optim.Adam(0.1)
  optimizer = opt_def.create(params)

  WRAPPER
  def step(optimizer, grads):
    return optimizer.apply_gradient(grads)

  optimizer = step(optimizer, grads)
  return optimizer.target
"""


@pytest.mark.parametrize(
    ("wrapper", "explicit"),
    [
        ("@jax.jit", True),
        ("@functools.partial(jax.jit, static_argnames='grads')", True),
        ("@functools.partial(jax.jit, donate_argnames='optimizer')", False),
        ("@functools.partial(jax.jit, donate_argnames=NAMES)", False),
        ("@functools.partial(jax.vmap, in_axes=(0, 0))", False),
        ("@functools.partial(alpa.parallelize, batch_argnums=(1,))", False),
        ("@alpa.parallelize", False),
        ("@scaled", False),
    ],
)
def test_wrappers_that_go_by_the_place_or_the_name_of_an_argument(
    wrapper: str, *, explicit: bool
) -> None:
    text = WRAPPED.replace("WRAPPER", wrapper).replace("import jax\n", "import alpa\nimport jax\n")
    after = text_of(migrated_program({"train.py": text}, todo=False), text)
    assert ("def step(params, opt_state, grads)" in after) == explicit
