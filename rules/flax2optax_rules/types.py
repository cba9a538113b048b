"""What a rule is: plain data about one flax.optim construct and the Optax that equals it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Agreement(StrEnum):
    """How closely the two train: bit for bit in float32, or apart by rounding only."""

    EXACT = "exact"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Example:
    """One call as flax wrote it and as it is migrated: shown in the docs, rewritten and trained in the tests."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to write the optimizer in Optax.

    `write` is the expression with the learning rate inside.
    `unscaled` is the same transformation with no rate, for programs whose step multiplies the updates by `-rate`;
    it is None where something follows the rate.
    `positive` is `write` with the signs of flax's state, for programs that look at it, where they differ.
    `{x}` inserts the user's expression for `x` or flax's default; `{x?}` drops the argument when the user left it out.
    `when` holds conditions in one line: `x` was written with anything but its default, `x=True` with that literal.
    The first variant whose every condition holds is chosen; one that writes nothing refuses, and its `note` says why.
    `state` and `unscaled_state` are what to append to `opt_state` to reach each leaf of the flax state;
    one that starts with a minus is the negated leaf.
    `inner` is what to append to reach the state of an optimizer that this one runs, `{group}` being its number.
    `parts` names, for each part of what the inner optimizer trains, the flax field that holds its state for that part.
    `needs` names `Support` pieces.
    `note` tells a reviewer, in one sentence, why this is not the alias of the same name.
    """

    write: str
    when: str | None = None
    unscaled: str | None = None
    positive: str | None = None
    state: Mapping[str, str] = field(default_factory=dict)
    unscaled_state: Mapping[str, str] = field(default_factory=dict)
    inner: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class OptimizerRule:
    """One class of flax.optim: its signature as the manual printed it, and its variants, most special first."""

    flax: str
    variants: tuple[Variant, ...]
    agreement: Agreement
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Support:
    """A few lines that Optax lacks, written once into the user's program; `why` is for the reviewer."""

    name: str
    source: str
    imports: tuple[str, ...]
    why: str
