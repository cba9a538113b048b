"""How optimizers start in a watched process: from wider parameters, or from disturbed ones."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..precision import disturb
from .task import Task


def start_flax(optim: Any, task: Task) -> None:
    """`create` gets float64 parameters, one or two units in the last place off in a control run."""
    create = optim.OptimizerDef.create

    def started(self: Any, target: Any, focus: Any = None) -> Any:
        target = widen(target) if task.x64 else target
        return create(self, disturb(target, task.seed) if task.seed else target, focus)

    optim.OptimizerDef.create = started


def start_train_state(kind: Any, task: Task) -> None:
    """`TrainState.create` gets float64 parameters."""
    original = kind.create

    def create(cls: Any, /, *, apply_fn: Any, params: Any, tx: Any, **kwargs: Any) -> Any:
        params = widen(params) if task.x64 else params
        return original.__func__(cls, apply_fn=apply_fn, params=params, tx=tx, **kwargs)

    kind.create = classmethod(create)


def start_records(module: Any, jump: Callable[[Any], Any]) -> None:
    """A step written by the `replace` of flax.struct jumps like the others."""
    module.dataclasses = _Dataclasses(module.dataclasses, jump)


class _Dataclasses:
    """The module `dataclasses` as flax.struct sees it: a new step beside a new state is moved on."""

    def __init__(self, module: Any, jump: Callable[[Any], Any]) -> None:
        self.module = module
        self.jump = jump

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def replace(self, obj: Any, /, **changes: Any) -> Any:
        """As `dataclasses.replace`."""
        if {"step", "opt_state"} <= changes.keys():
            changes |= self.jump({"step": changes["step"]})
        return self.module.replace(obj, **changes)


def widen(tree: Any) -> Any:
    """Every floating-point leaf in double precision."""
    return jax.tree_util.tree_map(
        lambda leaf: (
            leaf.astype(jnp.float64)
            if jnp.issubdtype(getattr(leaf, "dtype", None) or jnp.int32, jnp.floating)
            else leaf
        ),
        tree,
    )
