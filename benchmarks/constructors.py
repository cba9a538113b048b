"""What the expressions of docs/ecosystem.md are worth: the tool's and other people's against the real flax.optim.

    python benchmarks/constructors.py

Prints for each constructor the largest difference of a parameter after 20 steps, as a share of how far they all went.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

TOP = Path(__file__).parents[1]
sys.path[:0] = [str(TOP / "migrator"), str(TOP / "rules")]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402

from flax2optax.verify.reference import serve  # noqa: E402

STEPS = 20
Params = dict[str, jax.Array]
Schedule = Callable[[Any], Any]
leaves, tree_map = jax.tree_util.tree_leaves, jax.tree_util.tree_map


def main() -> int:
    """Measure every row."""
    params = start()
    with serve() as optim:
        for name, reference, ours, theirs in rows(optim, params):
            found = (share(one, reference, params) for one in (ours, theirs))
            print("{:40} tool {:.0e}, authors {:.0e}".format(name, *found), flush=True)
    return 0


def rows(optim: ModuleType, params: Params) -> Iterator[tuple[str, Params, Params, Params]]:
    """Name, and what flax.optim, the tool's expression and the authors' make of the params."""
    late: Schedule = lambda step: warm_up(step + 1)  # noqa: E731
    yield (
        "RMSProp, centered",
        old(params, optim.RMSProp(6.25e-5, beta2=0.95, eps=1.5e-4, centered=True)),
        new(params, optax.rmsprop(6.25e-5, 0.95, 1.5e-4, eps_in_sqrt=False, centered=True)),
        new(params, optax.rmsprop(6.25e-5, 0.95, 1.5e-4, centered=True)),
    )
    for decay in (3e-6, 1e-2):
        yield (
            f"Momentum with decay {decay}",
            old(params, optim.Momentum(0.1, beta=0.9, weight_decay=decay)),
            new(params, optax.add_decayed_weights(decay), optax.sgd(0.1, momentum=0.9)),
            new(params, optax.sgd(0.1, momentum=0.9), optax.add_decayed_weights(decay)),
        )
    nesterov = optax.trace(0.9, nesterov=True)
    yield (
        "Momentum, Nesterov, rate at the step",
        old(params, optim.Momentum(beta=0.9, nesterov=True), warm_up),
        new(params, nesterov, rate=warm_up),
        new(params, nesterov, optax.scale_by_schedule(lambda step: -warm_up(step))),
    )
    adam = optax.scale_by_adam(0.9, 0.98, 1e-9)
    yield (
        "Adam with decay, rate at the step",
        old(params, optim.Adam(beta2=0.98, eps=1e-9, weight_decay=0.1), warm_up),
        new(params, adam, optax.add_decayed_weights(0.1), rate=warm_up),
        new(params, optax.adamw(warm_up, 0.9, 0.98, 1e-9, weight_decay=0.1)),
    )
    yield (
        "Momentum, steps counted from 1",
        old(params, optim.Momentum(beta=0.9), late),
        new(params, optax.trace(0.9), rate=late),
        new(params, optax.sgd(warm_up, momentum=0.9)),
    )
    yield (
        "LARS with decay",
        old(params, optim.LARS(1.0, beta=0.9, weight_decay=1e-2)),
        new(params, trust_ratio(1e-2), optax.scale_by_learning_rate(1.0), optax.trace(0.9)),
        new(params, optax.lars(1.0, weight_decay=1e-2, momentum=0.9)),
    )
    yield (
        "Adam with a decay that was lost",
        old(params, optim.Adam(1e-2, weight_decay=0.1)),
        new(params, optax.adamw(1e-2, weight_decay=0.1)),
        new(params, optax.adam(1e-2)),
    )
    yield (
        "Adam with a decay that was gained",
        old(params, optim.Adam(3e-4)),
        new(params, optax.adam(3e-4)),
        new(params, optax.adamw(3e-4)),
    )
    yield (
        "Adafactor",
        old(params, optim.Adafactor(1.0, beta1=0.9)),
        new(params, optax.adafactor(1.0, momentum=0.9)),
        new(params, optax.adafactor(1.0, decay_rate=0.8, momentum=0.9)),
    )


def trust_ratio(decay: float) -> optax.GradientTransformation:
    """What the rule of LARS writes into a program."""
    from flax2optax_rules.lars import SOURCE

    names: dict[str, Any] = {"jnp": jnp, "optax": optax}
    exec(SOURCE, names)
    return names["lars_trust_ratio"](decay)  # type: ignore[no-any-return]


def start() -> Params:
    """A matrix that Adafactor factors, and a vector."""
    keys = jax.random.split(jax.random.PRNGKey(0))
    return {
        "kernel": jax.random.normal(keys[0], (160, 130)),
        "bias": 0.1 * jax.random.normal(keys[1], (130,)),
    }


def gradient(params: Params, step: int) -> Params:
    """Towards zero, with waves that differ by place and step."""
    return tree_map(
        lambda x: 0.1 * x + 0.05 * jnp.cos(step + jnp.arange(x.size).reshape(x.shape)), params
    )


def warm_up(step: Any) -> Any:
    """From 0 to 0.1 in ten steps."""
    return 0.1 * jnp.minimum(1.0, step / 10.0)


def old(params: Params, definition: Any, rate: Schedule | None = None) -> Params:
    """Train with flax.optim."""
    optimizer = definition.create(params)
    for step in range(STEPS):
        given = {"learning_rate": rate(step)} if rate else {}
        optimizer = optimizer.apply_gradient(gradient(optimizer.target, step), **given)
    return optimizer.target  # type: ignore[no-any-return]


def new(
    params: Params, *parts: optax.GradientTransformation, rate: Schedule | None = None
) -> Params:
    """Train with Optax; a rate multiplies the updates, as a migrated step does."""
    tx = optax.chain(*parts)
    state = tx.init(params)
    for step in range(STEPS):
        updates, state = tx.update(gradient(params, step), state, params)
        if rate is not None:
            updates = scaled(updates, -rate(step))
        params = optax.apply_updates(params, updates)
    return params


def scaled(updates: Params, by: Any) -> Params:
    """Every update times a number."""
    return tree_map(lambda update: by * update, updates)  # type: ignore[no-any-return]


def share(found: Params, reference: Params, params: Params) -> float:
    """The largest difference over the largest distance gone."""
    return distance(found, reference) / distance(reference, params)


def distance(left: Params, right: Params) -> float:
    """The largest difference of an entry."""
    pairs = zip(leaves(left), leaves(right), strict=True)
    return max(float(jnp.abs(a - b).max()) for a, b in pairs)


if __name__ == "__main__":
    sys.exit(main())
