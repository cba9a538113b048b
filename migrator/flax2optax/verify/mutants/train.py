"""Trains one program before and after, the slip of a mutant included, as runs for the verdict."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import flax.jax_utils
import flax.traverse_util
import jax
import jax.numpy as jnp
import optax

from flax2optax_rules import SUPPORT

from ..child.sites import jumper
from ..jumps import plan_jumps
from ..precision import disturb
from ..recording import Array
from ..states import match_states, with_signs
from ..verdict import leaves_by_path
from .catalogue import INJECTED, SCALED, Program
from .models import Model, Tree

STEPS: Final = 10
BOUNDARIES: Final = (1000, 10_000)
CLIP: Final = 0.05
LAX: Final[Any] = jax.lax
JAX_UTILS: Final[Any] = flax.jax_utils
TRAVERSAL: Final[Any] = flax.traverse_util.ModelParamTraversal
JUMPS: Final = plan_jumps(STEPS, BOUNDARIES)
Leaves = dict[str, Array]
Places = Mapping[str, tuple[str, str, int]]
"""By name: the path before, the path after, and the sign after."""


def train_flax(
    optim: Any, model: Model, program: Program, seeds: Sequence[int]
) -> list[list[Leaves]]:
    """The runs of the real flax.optim; a seed other than 0 disturbs the start."""
    definition = eval(program.flax, namespace(optim))
    rate = _rate(program)
    clip = eval(program.clip, namespace()) if program.clip else None

    def step(optimizer: Any, carried: Tree, batch: Tree, key: Any, count: Any) -> Any:
        grads, carried = model.gradients(optimizer.target, carried, batch, key)
        grads = _averaged(model, grads)
        grads = clip(grads) if clip else grads
        overrides = {"learning_rate": rate(optimizer.state.step)} if rate else {}
        return optimizer.apply_gradient(grads, **overrides), carried

    run, jump = _ready(model, step), jax.jit(jumper(JUMPS))
    return [list(_flax_run(definition, model, run, jump, seed)) for seed in seeds]


def _flax_run(
    definition: Any, model: Model, run: Callable[..., Any], jump: Callable[[Any], Any], seed: int
) -> Iterator[Leaves]:
    params, carried = model.start()
    optimizer = definition.create(disturb(params, seed) if seed else params)
    optimizer, carried = _spread(model, optimizer), _spread(model, carried)
    for feed in _feeds(model):
        optimizer, carried = run(optimizer, carried, *feed)
        one = _single(model, optimizer)
        yield leaves_by_path({"params": one.target, "state": one.state})
        optimizer = optimizer.replace(state=jump(optimizer.state))


def train_optax(model: Model, source: str, program: Program, slip: str = "") -> Iterator[Leaves]:
    """The run of a transformation, with a slip in the step."""
    tx = eval(source, namespace())
    start, carried = model.start()
    rate = _rate(program)

    def step(params: Tree, state: Any, carried: Tree, batch: Tree, key: Any, count: Any) -> Any:
        grads, carried = model.gradients(params, carried, batch, key)
        grads = _averaged(model, grads)
        grads = jax.tree_util.tree_map(lambda g: 2 * g, grads) if slip == "sum" else grads
        state = tx.init(params) if slip == "new state" else state
        if program.form == INJECTED:
            state = state._replace(hyperparams={"learning_rate": rate(count)})
        updates, new_state = tx.update(grads, state, start if slip == "stale params" else params)
        if program.form == SCALED:
            updates = jax.tree_util.tree_map(lambda leaf: -rate(count) * leaf, updates)
        params = optax.apply_updates(params, updates)
        params = optax.apply_updates(params, updates) if slip == "twice" else params
        return params, state if slip == "old state" else new_state, carried

    jump = jax.jit(jumper(JUMPS))
    run, state = _ready(model, step), jax.jit(tx.init)(start)
    params, state, carried = (_spread(model, one) for one in (start, state, carried))
    for feed in _feeds(model):
        params, state, carried = run(params, state, carried, *feed)
        yield leaves_by_path(_single(model, {"params": params, "state": state}))
        state = jump(state)


def common(old: Sequence[Leaves], new: Sequence[Leaves]) -> Places:
    """The leaves that both runs have."""
    params = [path.removeprefix("params/") for path in old[0] if path.startswith("params/")]
    states = [
        [path.removeprefix("state/") for path in side[0] if path.startswith("state/")]
        for side in (old, new)
    ]
    found, _ = match_states(states[0], states[1], params)
    steps = [
        (partial(_state_leaf, before), partial(_state_leaf, after))
        for before, after in zip(old, new, strict=True)
    ]
    pairs = {f"params/{path}": (f"params/{path}", f"params/{path}", 1) for path in params}
    for match in with_signs(found, steps):
        sign = -1 if match.turned else 1
        pairs[match.name] = (f"state/{match.before}", f"state/{match.after}", sign)
    return pairs


def namespace(optim: Any = None) -> dict[str, Any]:
    """What the catalogue names, and every piece of support."""
    names: dict[str, Any] = {"jax": jax, "jnp": jnp, "optax": optax, "optim": optim}
    for piece in SUPPORT.values():
        exec("\n".join((*piece.imports, piece.source)), names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, part in (("kernels", "kernel"), ("biases", "bias")):
            names[name] = TRAVERSAL(partial(_has, part))
    return names | {
        "noam": lambda step: 0.02 * jnp.minimum((step + 1.0) ** -0.5, (step + 1.0) * 4**-1.5),
        "drop": lambda step: jnp.where(step < 1000, 0.1, 0.01),
        "end": lambda step: jnp.where(step < 10_000, 0.1, 0.0),
        "clip_by_norm": _clip_by_norm,
        "is_kernel": lambda params: jax.tree_util.tree_map_with_path(
            lambda path, _: "kernel" in jax.tree_util.keystr(path), params
        ),
    }


def _state_leaf(leaves: Leaves, path: str) -> Array:
    return leaves[f"state/{path}"]


def _rate(program: Program) -> Any:
    return eval(program.rate, namespace()) if program.rate else None


def _has(part: str, path: str, _: Any) -> bool:
    return part in path


def _clip_by_norm(grads: Tree) -> Tree:
    norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree_util.tree_leaves(grads)))
    factor = jnp.minimum(1.0, CLIP / norm)
    return jax.tree_util.tree_map(lambda leaf: leaf * factor, grads)


def _ready(model: Model, step: Any) -> Any:
    return jax.pmap(step, axis_name="batch") if model.devices > 1 else jax.jit(step)


def _averaged(model: Model, grads: Tree) -> Tree:
    return LAX.pmean(grads, "batch") if model.devices > 1 else grads


def _spread(model: Model, tree: Tree) -> Tree:
    devices = jax.local_devices()[: model.devices]
    return JAX_UTILS.replicate(tree, devices) if model.devices > 1 else tree


def _single(model: Model, tree: Tree) -> Tree:
    return JAX_UTILS.unreplicate(tree) if model.devices > 1 else tree


def _feeds(model: Model) -> Iterator[tuple[Tree, Any, Any]]:
    """Batch, random key and counter of every step; each device gets its own key."""
    count = 0
    for number in range(STEPS):
        key, counter = jax.random.PRNGKey(number), jnp.asarray(count, jnp.int32)
        keys = jax.random.split(key, model.devices) if model.devices > 1 else key
        yield model.batch(number), keys, _spread(model, counter)
        count = JUMPS.get(count + 1, count + 1)
