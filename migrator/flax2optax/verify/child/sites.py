"""The places where optimizers step: `Optimizer.apply_gradient`, and `tx.update` with `optax.apply_updates`.

Each hands its trees to the recorder by a callback, so steps inside jit, pmap, scan, vmap and while_loop are seen too.
"""

import functools
import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from ..recording import Array

Receive = Callable[[str, str, Mapping[str, Any], Mapping[str, Mapping[str, Array]]], None]
DEPTH: Final = threading.local()
Places = dict[str, Any]
"""What replay needs of each optimizer: the objects and tree structures that were seen, by the name in its steps."""


def path_of(path: Any) -> str:
    """`/`-joined, the same for a dict and a FrozenDict."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def stream_of(tree: Any) -> str:
    """A name for all optimizers of trees with these paths and shapes."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    shapes = sorted(f"{path_of(path)}:{np.shape(leaf)}" for path, leaf in leaves)
    return hashlib.sha1("\n".join(shapes).encode()).hexdigest()[:10]


def place_of(stream: str, owner: Any, *trees: Any) -> str:
    """A name for one optimizer or transformation on trees of one kind; several may share a stream."""
    digest = hashlib.sha1(repr((id(owner), trees)).encode()).hexdigest()
    return f"{stream}-{digest[:10]}"


def tell(
    receive: Receive, kind: str, stream: str, note: Mapping[str, Any], trees: Mapping[str, Any]
) -> None:
    """Call back with the values of the trees, now or whenever what is being traced is run."""
    places: list[tuple[str, str]] = []
    known: list[tuple[str, str, Array]] = []
    arrays: list[Any] = []
    for name, tree in trees.items():
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
            if isinstance(leaf, (jax.Array, np.ndarray, np.generic)):
                places.append((name, path_of(path)))
                arrays.append(_plain(leaf))
            elif isinstance(leaf, (bool, int, float, complex)):
                known.append((name, path_of(path), np.asarray(leaf)))
    names = list(trees)

    def back(*values: Any) -> None:
        found: dict[str, dict[str, Array]] = {name: {} for name in names}
        for (name, path), value in zip(places, values, strict=True):
            found[name][path] = np.asarray(value)
        for name, path, value in known:
            found[name][path] = value
        receive(kind, stream, note, found)

    jax.debug.callback(back, *arrays)


def watch_flax(optimizer: Any, receive: Receive, places: Places, light: bool, jump: Any) -> None:
    """Every `Optimizer.apply_gradient` is told: what went in, what came out, and the hyperparameters."""
    original = optimizer.apply_gradient

    @functools.wraps(original)
    def apply_gradient(self: Any, grads: Any, **overrides: Any) -> Any:
        definition = self.optimizer_def
        new = original(self, grads, **overrides)
        stream = stream_of(self.target)
        if light:
            trees = {"state": {"step": self.state.step}, "params": _first(new.target)}
            tell(receive, "tick", stream, {}, trees)
            return new
        hyper = definition.update_hyper_params(**overrides)
        seen = {"hyper": hyper, "state": self.state, "params": self.target}
        seen = jax.tree_util.tree_map(_abstract, seen)
        place = place_of(stream, definition, seen["hyper"], seen["state"])
        places[place] = {"definition": definition, **seen}
        note = {"optimizer": name_of(definition), "place": place}
        trees = {"params": self.target, "grads": grads, "state": self.state, "hyper": hyper}
        trees |= {"new_params": new.target, "new_state": new.state}
        tell(receive, "flax", stream, note, trees)
        return new.replace(state=jump(new.state)) if jump else new

    optimizer.apply_gradient = apply_gradient


def watch_optax(optax: Any, receive: Receive, places: Places, light: bool, jump: Any) -> None:
    """Every outermost `tx.update` is told, and every `optax.apply_updates`."""
    kind = optax.GradientTransformation
    update = kind.update
    apply_updates = optax.apply_updates
    told_update = update_teller(receive, places, light, jump)

    def watched(tx: Any) -> Any:
        original = update.__get__(tx)
        return told_update(original, original)

    def told_updates(params: Any, updates: Any) -> Any:
        new = apply_updates(params, updates)
        if getattr(DEPTH, "inside", False):
            return new
        stream = stream_of(params)
        if light:
            tell(receive, "tick", stream, {}, {"params": _first(new)})
        else:
            trees = {"params": params, "applied": updates, "new_params": new}
            tell(receive, "apply", stream, {}, trees)
        return new

    kind.update = property(watched)
    optax.apply_updates = told_updates


def watch_class(kind: Any, tell_update: Callable[[Any, Any], Any]) -> None:
    """The `update` of a class that is no transformation of Optax's but has its interface."""
    original = kind.update

    @functools.wraps(original)
    def update(self: Any, *args: Any, **kwargs: Any) -> Any:
        return tell_update(self, original.__get__(self))(*args, **kwargs)

    kind.update = update


def update_teller(
    receive: Receive, places: Places, light: bool, jump: Any
) -> Callable[[Any, Any], Any]:
    """Makes an update of its owner one that is told where it is the outermost."""

    def teller(owner: Any, original: Any) -> Any:
        def quietly(*args: Any, **kwargs: Any) -> Any:
            DEPTH.inside = True
            try:
                return original(*args, **kwargs)
            finally:
                DEPTH.inside = False

        @functools.wraps(original)
        def tx_update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
            if getattr(DEPTH, "inside", False):
                return original(updates, state, params, **extra)
            result, new_state = quietly(updates, state, params, **extra)
            stream = stream_of(updates if params is None else params)
            if not light:
                seen = {"state": state, "params": updates if params is None else params}
                seen = jax.tree_util.tree_map(_abstract, seen)
                place = place_of(stream, owner, seen["state"])
                places[place] = {"update": quietly, "held": owner, "more": bool(extra), **seen}
                trees = {"grads": updates, "state": state, "updates": result}
                trees |= {"new_state": new_state} | ({} if params is None else {"params": params})
                tell(receive, "update", stream, {"place": place}, trees)
            return result, jump(new_state) if jump else new_state

        return tx_update

    return teller


def watch_loss(module: Any, receive: Receive) -> None:
    """`jax.value_and_grad` tells the value where it is one number."""
    original = module.value_and_grad

    @functools.wraps(original)
    def value_and_grad(fun: Any, *args: Any, **kwargs: Any) -> Any:
        has_aux = kwargs.get("has_aux", len(args) > 1 and args[1])
        inner = original(fun, *args, **kwargs)

        @functools.wraps(inner)
        def told(*args: Any, **kwargs: Any) -> Any:
            value, grads = inner(*args, **kwargs)
            loss = value[0] if has_aux else value
            if isinstance(loss, jax.Array) and loss.shape == ():
                tell(receive, "loss", "", {}, {"loss": loss})
            return value, grads

        return told

    module.value_and_grad = value_and_grad


def jumper(jumps: Mapping[int, int]) -> Callable[[Any], Any]:
    """Moves every step counter of a state on, so that a few steps visit the boundaries of schedules."""

    def jumped(counter: Any) -> Any:
        if isinstance(counter, int):
            return jumps.get(counter, counter)
        old = jnp.asarray(list(jumps), counter.dtype)
        new = jnp.asarray(list(jumps.values()), counter.dtype)
        at = jnp.expand_dims(counter, -1) == old
        return jnp.where(at.any(-1), jnp.sum(jnp.where(at, new, 0), -1), counter).astype(
            counter.dtype
        )

    def jump(path: Any, leaf: Any) -> Any:
        name = path_of(path[-1:]) if path else ""
        whole = isinstance(leaf, int) or (
            isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.integer)
        )
        return jumped(leaf) if name in ("step", "count") and whole else leaf

    return lambda state: jax.tree_util.tree_map_with_path(jump, state)


def name_of(definition: Any) -> str:
    """The class, and those inside of a MultiOptimizer."""
    inner = getattr(definition, "sub_optimizers", None)
    own = type(definition).__name__
    return f"{own}({', '.join(map(name_of, inner))})" if inner else own


def _abstract(leaf: Any) -> Any:
    """Replay keeps shapes, not arrays, and never a tracer."""
    if isinstance(leaf, (jax.Array, np.ndarray, np.generic)):
        shape: Any = jax.ShapeDtypeStruct
        return shape(leaf.shape, leaf.dtype)
    return leaf


def _first(tree: Any) -> Any:
    """One number that is there when the whole step is."""
    leaves = [leaf for leaf in jax.tree_util.tree_leaves(tree) if np.size(leaf)]
    return [jnp.ravel(leaf)[0] for leaf in leaves[:1]]


def _plain(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(leaf)
    return leaf


def leaves_of(tree: Any) -> dict[str, Array]:
    """The leaves that are there already, on the host."""
    found, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {path_of(path): np.array(_plain(leaf)) for path, leaf in found}
