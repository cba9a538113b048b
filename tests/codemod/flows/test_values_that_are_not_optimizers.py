"""What goes through code that is not about flax.optim: it is read where an optimizer goes, and nothing is invented."""

import pytest
from migration import migrated_project, text_of, told

STATE = """\
import flax


@flax.struct.dataclass
class State:
  optimizer: flax.optim.Optimizer
  lr: float
"""
TRAIN = """\
from flax import optim
from state import State
import likelihood


def main(config, params, data):
  state = State(optimizer=optim.Adam().create(params), lr=config.lr)
  {line}
  return state.replace(optimizer=state.optimizer.apply_gradient(data, learning_rate=state.lr))
"""
OTHER = """\
import numpy as np


def get_likelihood_fn(scale):
  def likelihood_fn(state, data):
    return np.mean(data) * scale, np.sum(data)
  return likelihood_fn, 3


class Evaluator:
  def __init__(self, config):
    self.config = config

  def run(self, state, data):
    return np.mean(data), 3
"""


def after(line: str, **others: str) -> str:
    modules = {
        "state.py": STATE,
        "likelihood.py": OTHER,
        "train.py": TRAIN.format(line=line),
        **{f"{name}.py": text for name, text in others.items()},
    }
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    return text_of(outcome, modules["train.py"], "train.py")


def test_the_result_of_a_function_made_elsewhere():
    line = "bpd = likelihood.get_likelihood_fn(2)[0](state, data)[0]; np.savez(bpd.reshape(-1))"
    assert line in after(line)


def test_a_function_made_elsewhere_and_unpacked():
    line = "fn, _ = likelihood.get_likelihood_fn(2); print(fn(state, data)[0].shape)"
    assert line in after(line)


def test_a_method_of_an_object_made_elsewhere():
    line = "print(likelihood.Evaluator(config).run(state, data)[0].shape)"
    assert line in after(line)


def test_a_field_that_nothing_sets_goes_with_the_rest():
    dead = (
        "from state import State\n\n\ndef dead(state: State, grad):\n"
        "  return state.other_optimizer.apply_gradient(grad)\n"
    )
    modules = {"state.py": STATE, "train.py": TRAIN.format(line="pass"), "dead.py": dead}
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert "state.other_optimizer.apply_gradients(grads=grad)" in text_of(outcome, "", "dead.py")


def test_a_field_of_a_class_that_is_no_record_is_only_assumed():
    plain = (
        "from flax import optim\n\n\nclass Agent:\n  def fill(self, values):\n"
        "    self.__dict__.update(values)\n\n  def step(self, grad):\n"
        "    self.optimizer = self.actor_optimizer.apply_gradient(grad)\n"
    )
    outcome = migrated_project({"agent.py": plain}, todo=False)
    assert not outcome.changes


def test_a_folder_with_a_hyphen_is_imported_by_its_name():
    modules = {
        "my-project/state.py": STATE,
        "my-project/likelihood.py": OTHER,
        "my-project/train.py": TRAIN.format(line="pass")
        .replace("from state", "from my_project.state")
        .replace("import likelihood", "from my_project import likelihood"),
    }
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert {one.source.display for one in outcome.changes} == {
        "my-project/state.py",
        "my-project/train.py",
    }


TREES = """\
import jax
import jax.numpy as jnp
from flax import optim


def is_optimizer(x):
  return isinstance(x, optim.Optimizer)


def main(params, grads):
  optimizers = [optim.Adam(0.1).create(params), optim.Momentum(0.1).create(params)]
  optimizers = [one.apply_gradient(grads) for one in optimizers]
  return {line}
"""


@pytest.mark.parametrize(
    "line",
    [
        "jax.tree_util.tree_map(lambda o: o.target, optimizers, is_leaf=is_optimizer)",
        "[o.target for o in jax.tree_util.tree_leaves(optimizers, is_leaf=is_optimizer)]",
        "[o.target for o in jax.tree_util.tree_flatten(optimizers, is_optimizer)[0]]",
    ],
)
def test_trees_that_end_at_optimizers(line):
    outcome = migrated_project({"train.py": TREES.format(line=line)}, todo=False)
    assert told(outcome) == []
    assert line.replace("target", "params") in text_of(outcome, "", "train.py")


def test_a_tree_of_optimizers_that_is_mapped_to_optimizers_is_refused():
    line = "jax.tree_util.tree_map(lambda o: o, optimizers, is_leaf=is_optimizer)[0].target"
    outcome = migrated_project({"train.py": TREES.format(line=line)}, todo=False)
    assert not outcome.changes
    assert "FXO309" in {one.code for one in told(outcome)}


ARRAY = """\
import jax.numpy as jnp
import numpy as np
from flax import optim


def main(x, grads):
  optimizer = optim.Adam(0.1).create({made})
  return optimizer.apply_gradient(grads).target
"""


@pytest.mark.parametrize(
    "made",
    [
        "jnp.log(0.2)",
        "np.asarray(x)",
        "2. * jnp.ones(3)",
        "-np.zeros(2)",
        "jnp.zeros(3).at[0].set(1.)",
        "jnp.zeros(3, jnp.int32).astype(jnp.float32)[:2]",
    ],
)
def test_params_that_are_one_array(made):
    outcome = migrated_project({"train.py": ARRAY.format(made=made)}, form="state", todo=False)
    assert told(outcome) == []
    assert "apply_gradients" not in text_of(outcome, "", "train.py")


def test_a_partial_of_what_makes_optimizers_is_imported():
    modules = {
        "setup.py": "import functools\nfrom flax import optim\n\n\ndef make(rate, params):\n"
        "  return optim.Adam(rate).create(params)\n\n\ncreate = functools.partial(make, 0.1)\n",
        "train.py": "from setup import create\n\n\ndef main(params):\n"
        "  return create(params).target\n",
    }
    outcome = migrated_project(modules, todo=False)
    assert told(outcome) == []
    assert "create(params).params" in text_of(outcome, "", "train.py")
