"""Round trip: what a fixture had under flax.optim is restored into the program that the codemod made of it.

By the real `from_bytes` of today's flax, by Orbax, and on the fly; the next steps are those of the old program.
"""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import orbax.checkpoint as ocp
import pytest
from flax import serialization
from flax.training.train_state import TrainState
from restarted import after, before, trained

from flax2optax.checkpoint import restore_checkpoint
from flax2optax.checkpoint.convert import Wish, convert_tree
from flax2optax.checkpoint.source import read_checkpoint
from flax2optax.checkpoint.write import Format, write_file
from flax2optax.verify.reference import DEPRECATIONS, serve
from flax2optax.verify.verdict import judge

Restore = Callable[[TrainState], TrainState]
FIXTURES = (
    "guide_global_norm_clip",
    "mixture_clip_schedule_decay",
    "mixture_multi_and_clip",
    "multi_optimizer_groups_in_a_loop",
    "frozen_backbone",
    "focus_on_the_head",
    "checkpoint_and_go_on",
    "state_dict_round_trip",
    "state_with_dynamic_scale",
    "lars_rate_each_step",
    "adafactor_rate_each_step",
    "mixture_multi_with_rate_per_group",
)


@pytest.fixture
def optim() -> Iterator[ModuleType]:
    with serve() as served, warnings.catch_warnings():
        for message in DEPRECATIONS:
            warnings.filterwarnings("ignore", message=message, category=DeprecationWarning)
        yield served


def written(source: Path, to: Format, fresh: TrainState) -> Path:
    """What the command writes for a program."""
    wish = Wish(template=fresh)
    place = source.parent / to
    done = convert_tree(read_checkpoint(source), wish)
    write_file(done, place, to, lambda count: None, force=True)
    return place


def ways(source: Path) -> dict[str, Restore]:
    def from_msgpack(fresh: TrainState) -> Any:
        return serialization.from_bytes(fresh, written(source, "msgpack", fresh).read_bytes())

    def from_orbax(fresh: TrainState) -> Any:
        with ocp.StandardCheckpointer() as checkpointer:
            return checkpointer.restore(written(source, "orbax", fresh), fresh)

    def on_the_fly(fresh: TrainState) -> Any:
        return restore_checkpoint(source, fresh)

    return {"msgpack": from_msgpack, "orbax": from_orbax, "on the fly": on_the_fly}


def only_params(source: Path) -> Restore:
    """What people did by hand."""

    def restore(fresh: TrainState) -> Any:
        return fresh.replace(params=restore_checkpoint(source, fresh).params)

    return restore


def verdicts(optim: ModuleType, name: str, folder: Path) -> dict[str, Any]:
    """How each way of restoring goes on, against the old program, and `dropped`: without the state."""
    source = folder / "checkpoint_3"
    source.write_bytes(serialization.to_bytes(trained(optim, name)))
    run, *controls = (before(optim, name, source.read_bytes(), seed) for seed in range(4))
    restores = ways(source) | {"dropped": only_params(source)}
    return {way: judge(run, controls, after(name, restore)) for way, restore in restores.items()}


@pytest.mark.parametrize("name", FIXTURES)
def test_the_next_steps_are_equal(name: str, optim: ModuleType, tmp_path: Path) -> None:
    found = verdicts(optim, name, tmp_path)
    assert not found.pop("dropped").equal
    assert {way: one.detail for way, one in found.items() if not one.equal} == {}
