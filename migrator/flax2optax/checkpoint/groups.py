"""MultiOptimizer as flax 0.3.2 and older saved it: a list of states for each group, without the parameters' names.

In: such an `OldOptimizer` and the places of the new state. Out: one whose states are known by parameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Final

from flax2optax_rules import RULES

from .detect import Element, OldOptimizer, kinds_of
from .places import Place, Role
from .tree import Array, CheckpointError, Path, Tree, spell

INNER: Final = RULES["MultiOptimizer"].variants[0].inner or ""
MOST_GROUPS: Final = 6
Group = Sequence[Element]
Params = Sequence[Path]


def by_param(old: OldOptimizer, places: Sequence[Place]) -> OldOptimizer:
    """Return the optimizer with the states by parameter. Raises CheckpointError if several ways fit, or none."""
    if not old.groups:
        return old
    stateful = [group for group in old.groups if _is_stateful(group)]
    members = _members(places)
    numbered = [_labelled(members, number) for number in range(len(old.groups))]
    ways: list[list[tuple[Group, Params | None]]] = []
    if any(numbered) and len(members) == len(stateful):
        pairs: list[tuple[Group, Params | None]] = [
            (group, params)
            for group, params in zip(old.groups, numbered, strict=True)
            if _is_stateful(group)
        ]
        ways = [pairs] if all(p and _fits(old, g, p) for g, p in pairs) else []
    elif len(stateful) == len(members) <= MOST_GROUPS:
        orders = permutations(members.values())
        every = [
            list[tuple[Group, Params | None]](zip(stateful, one, strict=True)) for one in orders
        ]
        ways = [way for way in every if all(_fits(old, g, p) for g, p in way)]
    if len(ways) != 1:
        raise CheckpointError(_explain(old, members, len(ways)))
    return _joined(old, ways[0])


def _joined(old: OldOptimizer, pairs: Sequence[tuple[Group, Params | None]]) -> OldOptimizer:
    known = [
        (param, element)
        for group, params in pairs
        for param, element in zip(params or (), group, strict=True)
    ]
    states = {(param, name): leaf for param, one in known for name, leaf in one.leaves.items()}
    origins = {param: one.path for param, one in known}
    return replace(old, states=states, groups=(), origins=origins)


def _is_stateful(group: Group) -> bool:
    return any(one.leaves for one in group)


def _members(places: Sequence[Place]) -> dict[Path, Params]:
    """The parameters of each group, in the order in which flax went through them, by where the group's state lies."""
    found: dict[Path, dict[Path, None]] = {}
    for place in places:
        if place.role is Role.FIELD and place.sources:
            found.setdefault(_group_of(place), {}).setdefault(place.param)
    return {group: sorted(params) for group, params in found.items()}


def _group_of(place: Place) -> Path:
    """Down to the label of a partition; elsewhere, down to what the parameters' names are appended to."""
    if "inner_states" in place.path:
        return place.path[: place.path.index("inner_states") + 2]
    return place.path[: len(place.path) - len(place.param) - 1]


def _labelled(members: Mapping[Path, Params], number: int) -> Params | None:
    """The parameters of the group that the rule gives this number."""
    label = INNER.format(group=number)
    found = [params for path, params in members.items() if label.startswith(_as_rule(path[-2:]))]
    return found[0] if len(found) == 1 else None


def _as_rule(path: Path) -> str:
    return f".{path[0]}['{path[1]}']." if len(path) == 2 else "-"


def _fits(old: OldOptimizer, group: Group, params: Params | None) -> bool:
    """Whether each state is one that the parameter in its place can have."""
    if params is None or len(group) != len(params):
        return False
    known = old.params
    return all(
        param in known and _like(known[param], one.leaves)
        for one, param in zip(group, params, strict=True)
    )


def _like(param: Tree, state: Mapping[Path, Tree]) -> bool:
    """Adafactor's factors have shapes of their own, all others that of the parameter."""
    kinds = kinds_of(frozenset(name[0] for name in state))
    if "Adafactor" in kinds or not isinstance(param, Array):
        return True
    return all(isinstance(leaf, Array) and leaf.shape == param.shape for leaf in state.values())


def _explain(old: OldOptimizer, members: Mapping[Path, Params], ways: int) -> str:
    sizes = ", ".join(
        f"{number}: {len(group)} parameters" for number, group in enumerate(old.groups)
    )
    new = ", ".join(f"{spell(path)}: {len(params)}" for path, params in members.items()) or "none"
    reason = "more than one way fits" if ways else "they do not fit"
    return (
        f"{spell(old.path)} was saved by flax 0.3.2 or older, which numbers the groups of a MultiOptimizer "
        f"and names no parameters ({sizes}); the new state has {new}: {reason}. "
        "Label the groups '0', '1', … in their old order"
    )
