"""What a checkpoint holds when it is read without a template: dicts under the names of the fields that were stored."""

from __future__ import annotations

from dataclasses import dataclass

from flax2optax.codemod.infer.values import NOTHING, Literal, Other, Value, one

# Library functions that return what was stored and take no template.
RAW = frozenset({
    "flax.serialization.msgpack_restore", "clu.checkpoint.load_state_dict",
    "clu.checkpoint.Checkpoint().restore_dict",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Restored(Other):
    """A checkpoint, or a part of it, as plain dicts."""


def restored(template: Value = NOTHING) -> Value:
    """What restoring into a template returns: the template; without one, the bare dicts."""
    left = template - {Literal(None)}
    return left or one(Restored())
