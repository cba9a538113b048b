"""k steps of the real flax.optim, saved by the real flax, and n steps of Optax are k + n steps of flax.optim.

And without the conversion they are not.
"""

import pickle
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from cases import TRAINED, Case
from flax import serialization
from trees import flat, gradients

from flax2optax.checkpoint.convert import Wish, convert_tree
from flax2optax.checkpoint.source import read_checkpoint
from flax2optax.checkpoint.target import Target, make_groups, make_target
from flax2optax.checkpoint.tree import held
from flax2optax.verify.verdict import Run, measure

LIMIT = 16.0
"""Of the calibrated criterion as SEMANTICS has it: what is right stays below it, what is dropped goes beyond it."""
EVERY = [(case, version) for case in TRAINED for version in case.versions]


def target_of(case: Case) -> Target:
    if not case.options:
        return make_target(case.before.replace("optim.", ""), {})
    return make_groups([tuple(one.split("=", 1)) for one in case.options[1::2]], {}, "constant")


def ratio(before: Run, controls: list[Run], after: Run) -> float:
    """How many times further than rounding the two are from each other, where they are furthest."""
    return max(one.ratio for one in measure(before, controls, after))


def runs(folder: Path, case: Case) -> list[Run]:
    """The steps after the checkpoint: of the run itself, and of those from disturbed parameters."""
    found: list[Run] = pickle.loads((folder / f"{case.name}.runs").read_bytes())
    return found


def train(tx: Any, params: Any, opt_state: Any, case: Case) -> list[dict[str, Any]]:
    update = jax.jit(tx.update) if "WeightNorm" in case.before else tx.update
    run = []
    for step in range(case.saved, case.steps):
        updates, opt_state = update(gradients(params, step), opt_state, params)
        params = optax.apply_updates(params, updates)
        run.append(flat(params))
    return run


@pytest.mark.parametrize(("case", "version"), EVERY, ids=lambda one: getattr(one, "name", one))
def test_training_goes_on(case: Case, version: str, written: dict[str, Path]) -> None:
    (before, *_), (_, *controls) = (runs(written[one], case) for one in (version, "0.5.3"))
    (file,) = (written[version] / f"{case.name}.root").iterdir()
    target = target_of(case)
    tree = held(convert_tree(read_checkpoint(file), Wish({"": target}, cast=case.casts)).tree)
    params = jax.tree_util.tree_map(jnp.asarray, tree["params"])
    fresh = target.tx.init(params)
    opt_state = serialization.from_state_dict(fresh, tree["opt_state"])
    assert ratio(before, controls, train(target.tx, params, opt_state, case)) <= LIMIT
    if jax.tree_util.tree_leaves(fresh):
        assert ratio(before, controls, train(target.tx, params, fresh, case)) > LIMIT
