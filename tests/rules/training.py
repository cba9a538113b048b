"""Train the same trees with the real flax.optim and with Optax, and judge how far they part."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.core
import flax.traverse_util
import jax
import jax.numpy as jnp
import optax

from flax2optax.verify.precision import disturbed_create
from flax2optax.verify.verdict import Run, Verdict, judge, leaves_by_path
from flax2optax_rules import SUPPORT

STEPS = 6
Tree = Any
Step = Callable[..., Tree]
State = Mapping[str, str]


def params(scalars: bool = True, frozen: bool = False) -> Tree:
    """A scalar, vectors, matrices, a conv kernel, zero parameters and one that has no gradient."""
    keys = iter(jax.random.split(jax.random.PRNGKey(0), 8))
    tree = {
        "dense": {"kernel": jax.random.normal(next(keys), (5, 3)), "bias": jnp.zeros(3)},
        "conv": {
            "kernel": jax.random.normal(next(keys), (3, 3, 2, 4)),
            "bias": jax.random.normal(next(keys), (4,)),
        },
        "other": {"embedding": jax.random.normal(next(keys), (4, 6))},
    }
    if scalars:
        tree["scale"] = {"weight": jax.random.normal(next(keys), ())}
    return flax.core.freeze(tree) if frozen else tree


def gradients(tree: Tree, step: Any) -> Tree:
    """Of a loss that is not linear, changes from step to step and does not see every leaf."""

    def gradient(path: Any, leaf: Any) -> Any:
        used = jax.tree_util.keystr(path, simple=True, separator="/") != "conv/bias"
        wave = jnp.arange(leaf.size, dtype=leaf.dtype).reshape(leaf.shape)
        return used * (jnp.sin(leaf + wave + step) + 0.1)

    return jax.tree_util.tree_map_with_path(gradient, tree)


def rate(step: Any) -> Any:
    return 0.03 / (1.0 + step)


def namespace(optim: Any = None) -> dict[str, Any]:
    """What the examples name, and every piece of support."""
    names = {"jax": jax, "jnp": jnp, "optax": optax, "optim": optim}
    for piece in SUPPORT.values():
        exec(piece.source, names)
    names["kernels"], names["biases"] = _traversal("kernel"), _traversal("bias")
    return names


def flax_runs(
    optim: Any, source: str, start: Tree, state: State, override: bool
) -> tuple[Run, list[Run]]:
    """The run of the real flax.optim and its three control runs."""
    definition = eval(source, namespace(optim))

    @jax.jit
    def step(optimizer: Any) -> Any:
        grads = gradients(optimizer.target, optimizer.state.step)
        overrides = {"learning_rate": rate(optimizer.state.step)} if override else {}
        return optimizer.apply_gradient(grads, **overrides)

    def run() -> Iterator[Tree]:
        optimizer = definition.create(start)
        for _ in range(STEPS):
            optimizer = step(optimizer)
            yield {"params": optimizer.target, "state": _flax_state(optimizer.state, state)}

    def recorded(seed: int) -> Run:
        with disturbed_create(optim.OptimizerDef, seed):
            return [leaves_by_path(tree) for tree in run()]

    before, *controls = (recorded(seed) for seed in range(4))
    return before, controls


def optax_run(source: str, start: Tree, state: State, make_step: Callable[[Any], Step]) -> Run:
    tx = eval(source, namespace())
    step = jax.jit(make_step(tx))
    tree, opt_state = start, tx.init(start)
    run = []
    for number in range(STEPS):
        tree, opt_state = step(tree, opt_state, jnp.asarray(number, jnp.int32))
        mapped = {name: _at(opt_state, path) for name, path in state.items()}
        run.append(leaves_by_path({"params": tree, "state": mapped}))
    return run


def plain_step(tx: Any) -> Step:
    """The rate is inside of the transformation."""

    def step(tree: Tree, opt_state: Any, number: Any) -> Tree:
        updates, opt_state = tx.update(gradients(tree, number), opt_state, tree)
        return optax.apply_updates(tree, updates), opt_state

    return step


def scaling_step(tx: Any) -> Step:
    """The step multiplies the updates by its rate."""

    def step(params: Tree, opt_state: Any, number: Any) -> Tree:
        grads = gradients(params, number)
        lr = rate(number)
        updates, opt_state = tx.update(grads, opt_state, params)
        updates = jax.tree_util.tree_map(lambda u: -lr * u, updates)
        return optax.apply_updates(params, updates), opt_state

    return step


def injecting_step(tx: Any) -> Step:
    """The step writes its rate into the state."""

    def step(params: Tree, opt_state: Any, number: Any) -> Tree:
        grads = gradients(params, number)
        opt_state = opt_state._replace(hyperparams={"learning_rate": rate(number)})
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    return step


def compare(
    optim: Any,
    before: str,
    after: str,
    state: State | None = None,
    make_step: Callable[[Any], Step] = plain_step,
    start: Tree | None = None,
) -> Verdict:
    tree = params(scalars="WeightNorm" not in before) if start is None else start
    old, controls = flax_runs(optim, before, tree, state or {}, make_step is not plain_step)
    return judge(old, controls, optax_run(after, tree, state or {}, make_step))


def _traversal(part: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return flax.traverse_util.ModelParamTraversal(lambda path, _: part in path)


def _flax_state(state: Any, wanted: State) -> Tree:
    def leaf(name: str) -> Tree:
        if name == "step":
            return state.step
        return jax.tree_util.tree_map(
            lambda one: getattr(one, name), state.param_states, is_leaf=lambda x: hasattr(x, name)
        )

    return {name: leaf(name) for name in wanted}


def _at(opt_state: Any, path: str) -> Tree:
    found = eval(f"opt_state{path.removeprefix('-')}", {"opt_state": opt_state})
    return jax.tree_util.tree_map(lambda x: -x, found) if path.startswith("-") else found
