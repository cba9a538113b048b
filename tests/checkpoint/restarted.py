"""A program of `fixtures/` that is stopped, and started anew from what it had: before the migration and after.

Whatever the program makes its optimizer of, it gets the trained one instead.
"""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import GeneratorType, ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import serialization
from flax.training.train_state import TrainState
from trees import flat

from flax2optax.verify.precision import disturb
from flax2optax.verify.verdict import Run

FIXTURES = Path(__file__).parents[2] / "fixtures"
STOPPED = 3


def program(path: Path) -> Any:
    """Import a program by its file."""
    spec = importlib.util.spec_from_file_location(f"program_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trained(optim: ModuleType, name: str) -> Any:
    """Return the one optimizer that the old program has after a few steps."""
    probe = program(FIXTURES / name / "before" / "train.py").probe()
    list(islice(probe, STOPPED))
    found = {id(one): one for one in _optimizers(optim, probe)}
    latest = max(found.values(), key=lambda one: int(one.state.step))
    probe.close()
    return latest


def _optimizers(optim: ModuleType, value: Any) -> Iterator[Any]:
    """What the local variables of a generator hold, and those of the generators among them."""
    if isinstance(value, GeneratorType):
        for local in value.gi_frame.f_locals.values():
            yield from _optimizers(optim, local)
        return
    leaves = jax.tree_util.tree_leaves(value, is_leaf=lambda x: isinstance(x, optim.Optimizer))
    yield from (leaf for leaf in leaves if isinstance(leaf, optim.Optimizer))


def before(optim: ModuleType, name: str, saved: bytes, seed: int) -> Run:
    """The old program from what was saved; other seeds than 0 disturb its parameters."""
    create = optim.OptimizerDef.create

    def restored(self: Any, target: Any, focus: Any = None) -> Any:
        optimizer = serialization.from_bytes(create(self, target, focus), saved)
        optimizer = jax.tree_util.tree_map(jnp.asarray, optimizer)
        return optimizer.replace(target=disturb(optimizer.target, seed)) if seed else optimizer

    optim.OptimizerDef.create = restored
    try:
        return _params(program(FIXTURES / name / "before" / "train.py"))
    finally:
        optim.OptimizerDef.create = create


class Restored(TrainState):  # type: ignore[misc]
    """A restored state; the program sets the type of a fresh step, and that is all it may set."""


def _keep_step(self: Restored, **changes: Any) -> TrainState:
    assert changes.keys() == {"step"} and changes["step"].dtype == self.step.dtype
    return TrainState(self.step, self.apply_fn, self.params, self.tx, self.opt_state)


Restored.replace = _keep_step  # Flax writes one of its own into the class.


def after(name: str, restore: Callable[[TrainState], TrainState]) -> Run:
    """The migrated program from what `restore` returns for its fresh state."""
    with _restored(restore):
        return _params(program(FIXTURES / name / "after" / "train.py"))


@contextmanager
def _restored(restore: Callable[[TrainState], TrainState]) -> Iterator[None]:
    create = TrainState.__dict__["create"]

    def restored(cls: type[TrainState], *, apply_fn: Any, params: Any, tx: Any) -> TrainState:
        fresh = create.__get__(None, cls)(apply_fn=apply_fn, params=params, tx=tx)
        state = restore(fresh.replace(step=jnp.int32(0)))
        state = jax.tree_util.tree_map(jnp.asarray, state)
        return Restored(state.step, apply_fn, state.params, tx, state.opt_state)

    TrainState.create = classmethod(restored)
    try:
        yield
    finally:
        TrainState.create = create


def _params(module: Any) -> Run:
    return [
        {path: np.asarray(leaf) for path, leaf in flat(step["params"]).items()}
        for step in islice(module.probe(), STOPPED)
    ]
