"""The packages' own training, cut short: a program yields its parameters after every update it makes."""

import importlib
import itertools
import pathlib
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gin
import jax
import numpy as np

UPDATES = 30
GRAPH_UPDATES = 20
HISTORY = 20
STEP = 9
Program = Callable[[], Iterator[Any]]
# The agents' networks are made small through the settings that their authors left open.
AGENTS = {
    "dqn": ("JaxDQNAgent", "ClassicControlDQNNetwork", (4,), np.float32),
    "rainbow": ("JaxRainbowAgent", "ClassicControlRainbowNetwork", (4,), np.float32),
    "quantile": ("JaxQuantileAgent", "QuantileNetwork", (8, 8), np.uint8),
}
MODULES = {
    "jraph": ["jraph.ogb_examples.train_flax"],
    "dopamine-rl": [f"dopamine.jax.agents.{agent}.{agent}_agent" for agent in AGENTS],
}
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "adam": ("adam", {}),
    "rmsprop": ("rmsprop", {}),
    "centered rmsprop": ("rmsprop", {"centered": True}),
}


def programs(package: str) -> dict[str, Program]:
    """What a package trains, by name."""
    if package == "jraph":
        return {"molecules": train_graphs}
    pairs = [*itertools.product(AGENTS, ("adam", "rmsprop")), ("dqn", "centered rmsprop")]
    return {f"{agent}, {name}": partial(train_agent, agent, name) for agent, name in pairs}


def train_graphs() -> Iterator[Any]:
    """jraph's own training on the molecules that come with it; the last parameters are those it saves."""
    example = importlib.import_module("jraph.ogb_examples.train_flax")
    data = pathlib.Path(example.__file__ or "").parent / "test_data"
    seen: list[Any] = []
    step = example.train_step
    # Only to be quick: an operation at a time, it takes five times as long.
    jitted = jax.jit(step, static_argnums=3)

    def recorded(optimizer: Any, *rest: Any) -> Any:
        optimizer, scalars = jitted(optimizer, *rest)
        seen.append(parameters(optimizer))
        return optimizer, scalars

    example.train_step = recorded
    try:
        with tempfile.TemporaryDirectory() as folder:
            split = data / "train.csv.gz"
            example.train(data, data / "master.csv", split, 1, GRAPH_UPDATES, folder)
            saved = np.load(pathlib.Path(folder, "molhiv.pkl"), allow_pickle=True)
    finally:
        example.train_step = step
    yield from [*seen, saved]


def train_agent(agent: str, optimizer: str) -> Iterator[Any]:
    """One of dopamine's agents on random observations, from fixed seeds."""
    random.seed(0)
    np.random.seed(0)
    learner = _make_agent(agent, optimizer)
    world = np.random.RandomState(1)
    updates, before = 0, learner.optimizer
    learner.begin_episode(_observation(world, learner))
    while updates < UPDATES:
        if learner.training_steps % 17 == 16:
            learner.end_episode(world.randn())
            learner.begin_episode(_observation(world, learner))
        else:
            learner.step(world.randn(), _observation(world, learner))
        if learner.optimizer is not before:
            updates, before = updates + 1, learner.optimizer
            yield learner.online_params


def parameters(optimizer: Any) -> Any:
    """Of either object: the one before the migration, and the one after it."""
    return optimizer.target if hasattr(optimizer, "target") else optimizer.params


def _make_agent(agent: str, optimizer: str) -> Any:
    name, network, shape, dtype = AGENTS[agent]
    module = importlib.import_module(f"dopamine.jax.agents.{agent}.{agent}_agent")
    for user in (importlib.import_module("dopamine.jax.agents.dqn.dqn_agent"), module):
        if hasattr(user, "select_action"):
            user.select_action = _at_step_zero(user.select_action)
    gin.clear_config()
    chosen, settings = OPTIMIZERS[optimizer]
    _bind("create_optimizer", **settings)
    _bind("JaxDQNAgent", seed=0)
    for buffer in ("OutOfGraphReplayBuffer", "OutOfGraphPrioritizedReplayBuffer"):
        _bind(buffer, replay_capacity=100, batch_size=8)
    if network.startswith("Classic"):
        limits = {"min_vals": (-1.0,) * 4, "max_vals": (1.0,) * 4}
        _bind(network, hidden_units=16, **limits)
    networks = importlib.import_module("dopamine.jax.networks")
    return getattr(module, name)(
        2,
        observation_shape=shape,
        observation_dtype=dtype,
        stack_size=1,
        network=getattr(networks, network),
        min_replay_history=HISTORY,
        update_period=1,
        target_update_period=10,
        optimizer=chosen,
        epsilon_fn=_always_explore,
    )


def _at_step_zero(select_action: Any) -> Any:
    """The number of the step is static and would compile at every step; exploring always, nothing depends on it."""

    def choose(*arguments: Any) -> Any:
        return original(*arguments[:STEP], 0, *arguments[STEP + 1 :])

    original = getattr(select_action, "original", select_action)
    choose.original = original  # type: ignore[attr-defined]
    return choose


def _bind(configurable: str, **values: Any) -> None:
    for name, value in values.items():
        gin.bind_parameter(f"{configurable}.{name}", value)


def _always_explore(*_: Any) -> float:
    return 1.0


def _observation(world: np.random.RandomState, learner: Any) -> Any:
    shape, dtype = learner.observation_shape, learner.observation_dtype
    if dtype == np.float32:
        return world.uniform(-1, 1, shape).astype(dtype)
    return world.randint(0, 255, shape).astype(dtype)
