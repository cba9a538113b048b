"""A whole checkpoint in its new form: every optimizer in it, and everything around them as it was.

In: a `Tree` and what the program has now. Out: a `Conversion`. Never: a leaf whose place is not known.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flax import serialization

from .detect import OldOptimizer, find_optimizers
from .match import Matched, Move, listed, match, step_path
from .replicas import unreplicate
from .target import Target, is_tx
from .tree import Array, CheckpointError, Path, Tree, at, describe, leaves, put, spell

Form = Literal["state", "explicit"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the program has now.

    `targets` are by the name of an optimizer (its path, or the last part of it); "" stands for all others.
    """

    targets: Mapping[str, Target] = field(default_factory=dict)
    template: Any = None
    form: Form = "state"
    unreplicate: bool = False
    cast: bool = False


@dataclass(frozen=True, slots=True)
class Conversion:
    """The new tree, where each leaf came from, and what was found, in words.

    `structures` are parts of the tree with the program's own types: tuples and records that a `Tree` has as dicts.
    """

    tree: Tree
    moves: tuple[Move, ...]
    notes: tuple[str, ...]
    structures: Mapping[Path, Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Return the number of bytes in all arrays."""
        return sum(leaf.nbytes for _, leaf in leaves(self.tree) if isinstance(leaf, Array))


def convert_tree(tree: Tree, wish: Wish) -> Conversion:
    """Convert every optimizer of a checkpoint. Raises CheckpointError."""
    optimizers = find_optimizers(tree)
    if wish.unreplicate:
        tree = unreplicate(tree, optimizers)
        optimizers = find_optimizers(tree)
    _refuse_unknown_names(wish.targets, optimizers)
    moves = {path: Move(path, path, leaf) for path, leaf in leaves(tree)}
    structures: dict[Path, Any] = {}
    notes: list[str] = []
    for old in optimizers:
        tree, done, structure = _convert_one(tree, old, wish)
        structures |= structure
        notes += [note(old), *_changes(old, done)]
        moves = {path: move for path, move in moves.items() if path[: len(old.path)] != old.path}
        moves |= {move.new: move for move in done}
    if wish.template is not None:
        structures = {(): wish.template}
        _check_template(tree, serialization.to_state_dict(wish.template))
    return Conversion(tree, tuple(moves.values()), tuple(notes), structures)


def note(old: OldOptimizer) -> str:
    """Return what an optimizer is found to be, in words."""
    step = old.step.to_numpy().reshape(-1)[0] if isinstance(old.step, Array) else old.step
    replicas = f", {old.lead[0]} replicas" if old.lead else ""
    layout = ", saved by flax 0.3.2 or older" if old.groups else ""
    kinds = "; ".join(old.kinds())
    return (
        f"{spell(old.path)}: {kinds}, step {step}, {len(old.params)} parameters{replicas}{layout}"
    )


def _changes(old: OldOptimizer, moves: Sequence[Move]) -> Iterator[str]:
    """What is not as it was, in words."""
    arrays = [move.leaf for move in moves if isinstance(move.leaf, Array)]
    turned, cast = sum(one.negated for one in arrays), sum(one.stored is not None for one in arrays)
    if turned:
        yield f"{spell(old.path)}: the sign of {turned} leaves is turned, as LARS has it in Optax"
    if cast:
        yield f"{spell(old.path)}: {cast} leaves are cast"
    if not any(move.old == step_path(old) for move in moves):
        yield f"{spell(old.path)}: nothing in the new state counts steps, so the step is left out"


def _convert_one(
    tree: Tree, old: OldOptimizer, wish: Wish
) -> tuple[Tree, list[Move], dict[Path, Any]]:
    target, place, form = _named(old, wish), old.path, wish.form
    if wish.template is not None:
        found, place = _in_template(wish.template, old.path)
        parts = serialization.to_state_dict(found)
        form = "state" if "step" in parts and place == old.path else "explicit"
        own = getattr(found, "tx", None)
        tx = own if is_tx(own) else target.tx
        target = Target(tx, _attribute(found, "opt_state"), target.kind)
    done = match(old, target, cast=wish.cast)
    below: dict[str, Tree] = {"params": old.target, "opt_state": done.opt_state}
    if form == "state":
        below = {"step": done.step, **below}
    if place != old.path:
        rest = {name: child for name, child in at(tree, place).items() if name != old.path[-1]}
        _refuse_taken(old, place, rest.keys() & below.keys())
        below = {**rest, **below}
    structures = {(*place, "opt_state"): done.structure}
    return put(tree, place, below), _moves(old, done, place, form), structures


def _refuse_taken(old: OldOptimizer, place: Path, names: Collection[str]) -> None:
    """Of an object that has `params` and `opt_state` apart, only one optimizer can have the place."""
    for name in sorted(names):
        raise CheckpointError(
            f"the template has only `params` and `opt_state` at {spell(place)} for {spell(old.path)}, "
            f"but the checkpoint holds {spell((*place, name))} too"
        )


def _moves(old: OldOptimizer, done: Matched, place: Path, form: Form) -> list[Move]:
    params = [
        Move((*old.path, "target", *path), (*place, "params", *path), leaf)
        for path, leaf in leaves(old.target)
    ]
    states = [
        Move(
            one.old,
            (*place, "opt_state", *one.new),
            one.leaf,
        )
        for one in done.moves
    ]
    step = [Move(step_path(old), (*place, "step"), done.step)]
    return [*(step if form == "state" else ()), *params, *states]


def _named(old: OldOptimizer, wish: Wish) -> Target:
    """The target that is named for an optimizer, or the one for all."""
    names = ["/".join(old.path), *old.path[-1:], ""]
    for name in names:
        if name in wish.targets:
            return wish.targets[name]
    if wish.template is not None:
        return Target()
    raise CheckpointError(
        f"{spell(old.path)} is {'; '.join(old.kinds())}: "
        "name its transformation (--tx), a template (--template) or the optimizer (--optimizer)"
    )


def _refuse_unknown_names(
    targets: Mapping[str, Target], optimizers: Sequence[OldOptimizer]
) -> None:
    known = {name for old in optimizers for name in ("/".join(old.path), *old.path[-1:], "")}
    for name in targets:
        if name not in known:
            found = ", ".join(spell(old.path) for old in optimizers)
            raise CheckpointError(f"there is no optimizer {name!r}; there is {found}")


def _in_template(template: Any, path: Path) -> tuple[Any, Path]:
    """What has the place of an optimizer: something with `params` and `opt_state`, or the object that has them apart."""
    for place in (path, path[:-1]):
        found = template
        for name in place:
            found = _attribute(found, name)
        if found is not None and _attribute(found, "opt_state") is not None:
            return found, place
    raise CheckpointError(f"the template has no `params` and `opt_state` at {spell(path)}")


def _attribute(value: Any, name: str) -> Any:
    """A field by the name that it has in a state dict."""
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, tuple | list) and name.isdigit():
        return value[int(name)] if int(name) < len(value) else None
    return getattr(value, name, None)


def _check_template(tree: Tree, template: Any) -> None:
    """Compare everything, the leaves around the optimizers too."""
    new, wanted = dict(leaves(tree)), dict(leaves(template))
    problems = [
        f"{spell(path)}: the checkpoint does not have it" for path in wanted.keys() - new.keys()
    ]
    problems += [
        f"{spell(path)}: the template does not have it" for path in new.keys() - wanted.keys()
    ]
    problems += [
        f"{spell(path)}: the template has {_shown(wanted[path])}, the checkpoint {describe(new[path])}"
        for path in new.keys() & wanted.keys()
        if not _alike(new[path], wanted[path])
    ]
    if problems:
        raise CheckpointError(listed(sorted(problems), "it does not fit the template"))


def _alike(leaf: Tree, wanted: Any) -> bool:
    """A plain number in the template stands for any array without axes."""
    if not hasattr(wanted, "dtype"):
        return not isinstance(leaf, Array) or leaf.shape == ()
    if not isinstance(leaf, Array):
        return tuple(wanted.shape) == ()
    return leaf.shape == tuple(wanted.shape) and leaf.dtype == wanted.dtype.name


def _shown(leaf: Any) -> str:
    return f"{tuple(leaf.shape)} {leaf.dtype}" if hasattr(leaf, "dtype") else repr(leaf)
