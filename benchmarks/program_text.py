"""The modules that `program.py` plants: two kinds of programs, each in eight modules, and what stands around them."""

TRAINER = {
    "optimizers": '''"""Optimizers by name."""

from flax import optim


def create_optimizer_def(config):
    if config.optimizer == "adam":
        return optim.Adam(learning_rate=config.learning_rate, beta2=0.98)
    elif config.optimizer == "momentum":
        return optim.Momentum(learning_rate=config.learning_rate, beta=0.9)
    raise ValueError(config.optimizer)
''',
    "state": '''"""What a training carries."""

from typing import Any

import flax


@flax.struct.dataclass
class TrainState:
    global_step: int
    optimizer: Any
    model_state: Any
    ema: Any
''',
    "creation": '''"""The first state."""

import jax
from GROUP.optimizers import create_optimizer_def
from GROUP.state import TrainState


def create_train_state(model, config, rng):
    variables = model.init(rng, jax.numpy.ones((1, 8)))
    model_state, params = variables.pop("params")
    optimizer_def = create_optimizer_def(config)
    optimizer = optimizer_def.create(params)
    return TrainState(global_step=0, optimizer=optimizer, model_state=model_state, ema=params)
''',
    "steps": '''"""One step."""

import jax
import jax.numpy as jnp


def cross_entropy(logits, labels):
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(logits) * labels, axis=-1))


def train_step(model, state, batch, rng):
    def loss_fn(params):
        logits = model.apply({"params": params, **state.model_state}, batch["inputs"], rngs=rng)
        return cross_entropy(logits, batch["labels"]), logits

    grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
    (loss, logits), grad = grad_fn(state.optimizer.target)
    grad = jax.lax.pmean(grad, axis_name="batch")
    new_optimizer = state.optimizer.apply_gradient(grad)
    ema = jax.tree_util.tree_map(lambda e, p: 0.99 * e + 0.01 * p, state.ema, new_optimizer.target)
    new_state = state.replace(
        global_step=state.global_step + 1, optimizer=new_optimizer, ema=ema)
    return new_state, {"loss": loss}
''',
    "evaluation": '''"""Metrics of a state."""

import jax
import jax.numpy as jnp
from GROUP.steps import cross_entropy


def eval_step(model, state, batch):
    variables = {"params": state.optimizer.target, **state.model_state}
    logits = model.apply(variables, batch["inputs"], mutable=False)
    return {"loss": cross_entropy(logits, batch["labels"]), "n": jnp.size(logits)}


def evaluate(model, state, batches):
    found = [eval_step(model, state, batch) for batch in batches]
    return jax.tree_util.tree_map(lambda *x: jnp.mean(jnp.stack(x)), *found)
''',
    "saving": '''"""Checkpoints."""

from flax import jax_utils
from flax.training import checkpoints


def restore(workdir, state):
    return checkpoints.restore_checkpoint(workdir, state)


def save(workdir, state, keep=3):
    state = jax_utils.unreplicate(state)
    checkpoints.save_checkpoint(workdir, state, int(state.global_step), keep=keep)
''',
    "trainer": '''"""The loop as a class."""

import functools

import jax
from flax import jax_utils
from GROUP import saving
from GROUP.creation import create_train_state
from GROUP.evaluation import evaluate
from GROUP.steps import train_step


class Trainer:
    def __init__(self, model, config, rng):
        self.model = model
        self.config = config
        self.state = create_train_state(model, config, rng)
        self.p_train_step = jax.pmap(
            functools.partial(train_step, model), axis_name="batch", donate_argnums=(0,))

    def restore(self):
        self.state = saving.restore(self.config.workdir, self.state)
        return self

    def train(self, batches, rng):
        state = jax_utils.replicate(self.state)
        for step, batch in enumerate(batches):
            rng, key = jax.random.split(rng)
            state, metrics = self.p_train_step(state, batch, key)
            if step % self.config.save_every == 0:
                saving.save(self.config.workdir, state)
        self.state = jax_utils.unreplicate(state)
        return metrics

    def evaluate(self, batches):
        return evaluate(self.model, self.state, batches)

    @property
    def params(self):
        return self.state.optimizer.target
''',
    "main": '''"""The script."""

import jax
from GROUP.trainer import Trainer


def main(model, config, train, test):
    rng = jax.random.PRNGKey(config.seed)
    trainer = Trainer(model, config, rng).restore()
    for epoch in range(config.epochs):
        trainer.train(train, jax.random.fold_in(rng, epoch))
        print(epoch, trainer.evaluate(test))
    return trainer.params, trainer.state.optimizer.state.step
''',
}

AGENT = {
    "making": '''"""Definitions of optimizers."""

from flax import optim


def create_optimizer(name="adam", learning_rate=6.25e-5):
    if name == "adam":
        return optim.Adam(learning_rate=learning_rate, beta1=0.9)
    return optim.RMSProp(learning_rate=learning_rate, beta2=0.95)
''',
    "networks": '''"""Networks, and their params as one thing with its optimizer."""

import jax.numpy as jnp
from GROUP.making import create_optimizer


def build(module, rng, observation, learning_rate):
    params = module.init(rng, jnp.zeros(observation))
    return create_optimizer(learning_rate=learning_rate).create(params)
''',
    "critic": '''"""The step of the critic."""

import functools

import jax
import jax.numpy as jnp


@functools.partial(jax.jit, static_argnums=(0,))
def critic_step(module, optimizer, target_params, batch):
    def loss_fn(params):
        q = module.apply(params, batch["states"])
        next_q = module.apply(target_params, batch["next_states"])
        return jnp.mean((q - batch["rewards"] - 0.99 * jnp.max(next_q, axis=-1)) ** 2)

    loss, grad = jax.value_and_grad(loss_fn)(optimizer.target)
    optimizer = optimizer.apply_gradient(grad)
    return optimizer, loss
''',
    "actor": '''"""The step of the actor."""

import functools

import jax
import jax.numpy as jnp


@functools.partial(jax.jit, static_argnums=(0, 1))
def actor_step(actor, critic, optimizer, critic_optimizer, batch):
    def loss_fn(params):
        actions = actor.apply(params, batch["states"])
        return -jnp.mean(critic.apply(critic_optimizer.target, batch["states"]) * actions)

    loss, grad = jax.value_and_grad(loss_fn)(optimizer.target)
    return {"actor_optimizer": optimizer.apply_gradient(grad), "loss": loss}
''',
    "base": '''"""The agent that others inherit from."""

import jax
from GROUP.critic import critic_step
from GROUP.networks import build


class Agent:
    def __init__(self, critic, rng, observation, learning_rate=1e-3):
        self.critic = critic
        self.rng = rng
        self.observation = observation
        self.learning_rate = learning_rate
        self.steps = 0
        self._build()

    def _build(self):
        self.rng, key = jax.random.split(self.rng)
        self.critic_optimizer = build(self.critic, key, self.observation, self.learning_rate)
        self.target_params = self.critic_optimizer.target

    @property
    def online_params(self):
        return self.critic_optimizer.target

    def learn(self, batch):
        self.critic_optimizer, loss = critic_step(
            self.critic, self.critic_optimizer, self.target_params, batch)
        self.steps += 1
        if self.steps % 100 == 0:
            self.target_params = self.online_params
        return {"critic": loss}
''',
    "agent": '''"""An agent with an actor."""

import jax
from GROUP.actor import actor_step
from GROUP.base import Agent
from GROUP.networks import build


class ActorCritic(Agent):
    def __init__(self, actor, *args, **kwargs):
        self.actor = actor
        super().__init__(*args, **kwargs)

    def _build(self):
        super()._build()
        self.rng, key = jax.random.split(self.rng)
        self.actor_optimizer = build(self.actor, key, self.observation, self.learning_rate)

    def learn(self, batch):
        told = super().learn(batch)
        found = actor_step(
            self.actor, self.critic, self.actor_optimizer, self.critic_optimizer, batch)
        self.actor_optimizer = found["actor_optimizer"]
        return {**told, "actor": found["loss"]}

    def act(self, observation):
        return self.actor.apply(self.actor_optimizer.target, observation)
''',
    "bundling": '''"""Agents on disk."""

from flax import serialization


def bundle(agent):
    return {
        "critic": serialization.to_bytes(agent.critic_optimizer),
        "actor": serialization.to_bytes(agent.actor_optimizer),
    }


def unbundle(agent, blobs):
    agent.critic_optimizer = serialization.from_bytes(agent.critic_optimizer, blobs["critic"])
    agent.actor_optimizer = serialization.from_bytes(agent.actor_optimizer, blobs["actor"])
    return agent
''',
    "run": '''"""The script."""

import jax
from GROUP.agent import ActorCritic
from GROUP.bundling import bundle, unbundle


def run(actor, critic, batches, blobs=None):
    agent = ActorCritic(actor, critic, jax.random.PRNGKey(0), (4,))
    if blobs is not None:
        agent = unbundle(agent, blobs)
    for batch in batches:
        print(agent.learn(batch), int(agent.critic_optimizer.state.step))
    return bundle(agent)
''',
}

MODULE = '''"""A part of the program without an optimizer."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


class ModelN(nn.Module):
    width: int = 64

    @nn.compact
    def __call__(self, x, train=True):
        for _ in range(3):
            x = nn.relu(nn.Dense(self.width)(x))
            x = nn.Dropout(0.1, deterministic=not train)(x)
        return nn.Dense(10)(x)
'''

IMPORTS = """

import jax.numpy as jnp
import numpy as np
"""

FILLER = '''

def NAME(inputs, weights, scale=1.0, axis=-1, train=False):
    """Arithmetic between here and there."""
    found = {}
    for index, (name, value) in enumerate(sorted(weights.items())):
        shifted = value - jnp.mean(value, axis=axis, keepdims=True)
        if train and index % 2 == 0:
            shifted = shifted * jnp.exp(-scale * jnp.abs(value)) + 1e-6
        elif name.startswith("bias"):
            shifted = jnp.where(shifted > 0.0, shifted, 0.01 * shifted)
        found[name] = jnp.einsum("bi,ij->bj", inputs, shifted) / np.sqrt(value.shape[0])
    total = sum(jnp.sum(jnp.square(value)) for value in found.values())
    return {name: value / jnp.maximum(total, 1.0) for name, value in found.items()}, total
'''
