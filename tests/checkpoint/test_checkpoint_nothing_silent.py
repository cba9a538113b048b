"""What would be lost, made up or turned without a word is refused, or carried over as it was."""

import pickle
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from flax import serialization
from flax.training.train_state import TrainState
from saved import adam, momentum

from flax2optax.checkpoint import CheckpointError, convert_state_dict
from flax2optax.checkpoint.pickled import unpickle
from flax2optax.checkpoint.target import evaluate, make_target

ADAM = optax.adam(0.1)
SGD = optax.sgd(0.1, momentum=0.9)


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    tree = adam()
    change(tree)
    return tree


def own(state: Any) -> dict[str, Any]:
    """An optimizer of the program's own, with any state of its one parameter."""
    target = {"w": np.ones(3, np.float32)}
    return {"target": target, "state": {"step": np.int32(3), "param_states": {"w": state}}}


APART = {"params": adam()["target"], "opt_state": ADAM.init(adam()["target"])}
EXTRA = {"ghost": {"grad_ema": np.ones(3, np.float32)}}
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the state of no parameter": (
        changed(lambda tree: tree["state"]["param_states"].update(EXTRA)),
        {"tx": ADAM},
        "state/param_states/ghost/grad_ema: there is no parameter that it is of",
    ),
    "an array as state": (
        own(np.full(3, 7.0, np.float32)),
        {"tx": ADAM},
        "state/param_states/w: there is no place",
    ),
    "a list as state": (
        own([np.full(3, 7.0, np.float32)]),
        {"tx": SGD},
        "state/param_states/w/0: there is no place",
    ),
    "a zero that is no placeholder": (
        own({"momentum": np.zeros(1, np.float32)}),
        {"tx": optax.sgd(0.1)},
        "state/param_states/w/momentum: there is no place",
    ),
    "two optimizers for one place": (
        {"first": adam(), "second": adam(step=7)},
        {"template": APART, "tx": ADAM},
        "for second, but the checkpoint holds opt_state too",
    ),
    "a neighbour in the place": (
        {"optimizer": adam(), "params": {"x": np.ones(2, np.float32)}},
        {"template": APART, "tx": ADAM},
        "for optimizer, but the checkpoint holds params too",
    ),
    "a step beyond int32": (
        changed(lambda tree: tree["state"].update(step=np.asarray(2**40 + 5))),
        {"tx": ADAM},
        "is not a number of steps",
    ),
    "a step below zero": (
        changed(lambda tree: tree["state"].update(step=np.int32(-5))),
        {"tx": ADAM},
        "is not a number of steps",
    ),
    "no step at all": (
        changed(lambda tree: tree["state"].update(step=np.zeros(0, np.int32))),
        {"tx": ADAM},
        "is not a number of steps",
    ),
    "LARS for a transformation of Momentum": (
        momentum(),
        {"tx": SGD, "optimizer": "lars"},
        "opt_state/0/trace/dense/kernel: the sign that the program gives it is not LARS's",
    ),
    "Momentum for a transformation of LARS": (
        momentum(),
        {"tx": optax.lars(0.1), "optimizer": "momentum"},
        "the sign that the program gives it is not Momentum's",
    ),
    "a name for the state of others": (
        adam(),
        {"tx": ADAM, "optimizer": "adabelief"},
        "opt_state/0/mu/dense/kernel: it is of Adam or LAMB, not of AdaBelief",
    ),
    "a number beyond msgpack": ({"o": adam(), "n": 1 << 64}, {"tx": ADAM}, "more than 64 bits"),
    "a text that is none": ({"o": adam(), "n": "\ud800"}, {"tx": ADAM}, r"text that is none: '\ud800'"),
    "a name that is none": ({"o": adam(), "\ud800": 1}, {"tx": ADAM}, r"text that is none: '\ud800'"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "now", "sentence"), REFUSED.values(), ids=[name.replace(" ", "_") for name in REFUSED]
)
def test_it_is_refused(old: Any, now: Any, sentence: str) -> None:
    with pytest.raises(CheckpointError) as error:
        convert_state_dict(old, **now)
    assert sentence in str(error.value)


def test_a_rate_in_the_state_must_be_named() -> None:
    with pytest.raises(CheckpointError, match="name it by --learning-rate"):
        make_target("adam", {}, "state")
    tx = make_target("adam", {"learning_rate": "0.25"}, "state").tx
    assert tx.init(adam()["target"]).hyperparams["learning_rate"] == 0.25


def test_who_turns_the_gradients_himself_has_to_name_the_optimizer() -> None:
    climbs = optax.chain(optax.scale(-1.0), SGD)
    with pytest.raises(CheckpointError, match="LARS or Momentum, which differ in sign"):
        convert_state_dict(momentum(), tx=climbs)
    new = convert_state_dict(momentum(), tx=climbs, optimizer="momentum")["opt_state"]
    old = momentum()["state"]["param_states"]["conv"]["bias"]["momentum"]
    np.testing.assert_array_equal(new["1"]["0"]["trace"]["conv"]["bias"], old)


def test_modules_without_parameters_stay() -> None:
    old = changed(
        lambda tree: (
            tree["target"].update(empty={}),
            tree["state"]["param_states"].update(empty={}),
        )
    )
    params = adam()["target"] | {"empty": {}}
    template = TrainState.create(apply_fn=None, params=params, tx=ADAM)
    assert serialization.from_state_dict(template, convert_state_dict(old, tx=ADAM)).step == 3


@pytest.mark.parametrize("state", [{"speed": np.full(3, 7.0)}, np.full(3, 7.0)])
def test_an_optimizer_of_the_programs_own_keeps_its_state(state: Any) -> None:
    class Own(evaluate("OptimizerDef")):  # type: ignore[misc]
        def init_param_state(self, param: Any) -> Any:
            return jax.tree_util.tree_map(jnp.zeros_like, state)

    state = jax.tree_util.tree_map(np.float32, state)
    new = convert_state_dict(own(state), tx=Own(None))["opt_state"]
    assert new["step"] == 3
    jax.tree_util.tree_map(np.testing.assert_array_equal, new["param_states"]["w"], state)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "dtype", ["<f4", ">f4", ">i8", "?", ml_dtypes.bfloat16, ml_dtypes.float8_e5m2]
)
def test_pickled_arrays_of_any_order(dtype: Any, protocol: int) -> None:
    array = np.arange(6).astype(dtype).reshape(2, 3)
    many = {
        "a": array,
        "b": np.asfortranarray(array),
        "c": array[:, ::2],
        "d": array[:0],
        "e": array[1, 1],
    }
    for name, leaf in unpickle(pickle.dumps(many, protocol)).items():
        np.testing.assert_array_equal(leaf.to_numpy(), many[name])
        assert leaf.dtype == many[name].dtype.name
