"""Old state to new state: what flax.optim saved, for the program as it is now.

In: a checkpoint of flax 0.1 to 0.5, and the program's transformation or state.
Out: the same checkpoint with `params`, `opt_state` and `step`, of Optax.
Never: anything of the codemod, a change of the source, or a leaf that was guessed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flax import serialization

from .convert import Conversion, Form, Wish, convert_tree
from .packing import Progress
from .pickled import to_tree
from .source import Selection, checkpoint_files, read_checkpoint
from .target import Target, make_target
from .tree import CheckpointError, held
from .write import Format, check_place, write_file, write_folder

__all__ = [
    "CheckpointError",
    "Conversion",
    "Planned",
    "Target",
    "convert_checkpoint",
    "convert_state_dict",
    "plan_all",
    "plan_checkpoint",
    "restore_checkpoint",
    "write_checkpoint",
]


@dataclass(frozen=True, slots=True)
class Planned:
    """What is found in all checkpoints in words, the bytes of their arrays, and the conversions by file name."""

    notes: tuple[str, ...]
    nbytes: int
    every: Iterable[tuple[str, Conversion]]


def restore_checkpoint(
    source: str | Path,
    template: Any,
    *,
    optimizer: Mapping[str, str] | str | None = None,
    prefix: str | None = None,
    step: int | float | None = None,
    allow_pickle: bool = False,
    unreplicate: bool = False,
    cast: bool = False,
) -> Any:
    """Restore what flax.optim saved into a state of today, as `flax.training.checkpoints.restore_checkpoint` would.

    `template` is the program's own state, freshly made: a TrainState, a dict of `params` and `opt_state`,
    or an object with several of them in the places of the old optimizers.
    The newest checkpoint of a folder is read, unless `step` names another.
    Returns the template with every leaf from the checkpoint, as NumPy arrays of the template's shapes and dtypes.
    With `cast` a floating-point leaf of another dtype is converted to the one that Optax has, else it is an error.
    Raises CheckpointError if the file cannot be read, or with the path of every leaf that does not fit.
    """
    chosen = Selection(prefix, None if step is None else str(step), allow_pickle)
    file = checkpoint_files(Path(source), chosen)[-1]
    tree = read_checkpoint(file, allow_pickle=allow_pickle)
    wish = Wish(_kinds(optimizer), template, unreplicate=unreplicate, cast=cast)
    return serialization.from_state_dict(template, held(convert_tree(tree, wish).tree))


def convert_state_dict(
    state_dict: Mapping[str, Any],
    *,
    tx: Mapping[str, Any] | Any = None,
    template: Any = None,
    optimizer: Mapping[str, str] | str | None = None,
    form: Form = "state",
    unreplicate: bool = False,
    cast: bool = False,
) -> dict[str, Any]:
    """Convert what `flax.serialization.to_state_dict` or `msgpack_restore` returned.

    `tx` is the program's transformation, or a dict of them by the name of the optimizer.
    Each `{'target', 'state'}` becomes `{'step', 'params', 'opt_state'}`, without the step in the explicit form:
    params keep their shapes, moments have the shapes of the params, counters and step are int32 of shape ().
    Replicated leaves keep their leading axes, unless `unreplicate` is set.
    Raises CheckpointError with the path of every leaf that does not fit.
    """
    targets = _kinds(optimizer) if tx is None else _targets(tx, optimizer)
    wish = Wish(targets, template, form, unreplicate, cast)
    found: dict[str, Any] = held(convert_tree(to_tree(state_dict), wish).tree)
    return found


def plan_checkpoint(
    source: Path, wish: Wish, selection: Selection
) -> Iterator[tuple[str, Conversion]]:
    """Yield each checkpoint of SRC, converted but not read: its arrays still lie in the file. Raises CheckpointError."""
    for file in checkpoint_files(source, selection):
        tree = read_checkpoint(file, allow_pickle=selection.allow_pickle)
        try:
            yield file.name, convert_tree(tree, wish)
        except CheckpointError as error:
            raise CheckpointError(f"{file}: {error}") from error.__cause__


def convert_checkpoint(
    source: str | Path,
    place: str | Path,
    wish: Wish,
    *,
    selection: Selection | None = None,
    to: Format = "msgpack",
    force: bool = False,
) -> None:
    """Convert a file to a file, or a folder of checkpoints to a folder of the same names.

    Nothing is written unless all of it fits. Raises CheckpointError.
    """
    source, place = Path(source), Path(place)
    check_place(source, place, force=force)
    done = plan_all(source, wish, selection or Selection())
    write_checkpoint(source, place, done.every, to, force=force)


def plan_all(source: Path, wish: Wish, selection: Selection) -> Planned:
    """Convert every checkpoint of SRC, so that nothing is written unless all of them fit. Raises CheckpointError.

    Of a folder one is open at a time, and converted again when it is written.
    """
    notes: list[str] = []
    nbytes = count = 0
    last: list[tuple[str, Conversion]] = []
    for name, done in plan_checkpoint(source, wish, selection):
        last = [(name, done)]
        notes += [f"{name}: {line}" for line in done.notes]
        nbytes += done.nbytes
        count += 1
    every = last if count == 1 else plan_checkpoint(source, wish, selection)
    return Planned(tuple(notes), nbytes, every)


def write_checkpoint(
    source: Path,
    place: Path,
    every: Iterable[tuple[str, Conversion]],
    to: Format = "msgpack",
    progress: Progress = lambda done: None,
    *,
    force: bool = False,
) -> None:
    """Write what was planned, block by block. Raises CheckpointError."""
    if source.is_dir():
        write_folder(every, place, to, progress, force=force)
    else:
        ((_, done),) = every
        write_file(done, place, to, progress, force=force)


def _kinds(optimizer: Mapping[str, str] | str | None) -> dict[str, Target]:
    """With a template only the kind matters; without one the rule makes the transformation."""
    named = {"": optimizer} if isinstance(optimizer, str) else optimizer or {}
    return {name: make_target(text, {}) for name, text in named.items()}


def _targets(
    tx: Mapping[str, Any] | Any, optimizer: Mapping[str, str] | str | None
) -> dict[str, Target]:
    kinds = _kinds(optimizer)
    named = tx if isinstance(tx, Mapping) else {"": tx}
    return {
        name: Target(one, kind=kinds[name].kind if name in kinds else None)
        for name, one in named.items()
    }
