"""Replicated checkpoints: every leaf has one value per device, and all of them are the same.

In: a `Tree`. Out: the tree of the first replica. Never: values dropped that are not the same.
"""

from .detect import OldOptimizer
from .tree import Array, Bytes, CheckpointError, Path, Tree, spell


def unreplicate(tree: Tree, optimizers: list[OldOptimizer]) -> Tree:
    """Return a tree without the axes of replicas. Raises CheckpointError if the replicas differ."""
    leads = {optimizer.lead for optimizer in optimizers}
    if len(leads) != 1:
        raise CheckpointError("the optimizers do not have the same number of replicas")
    (lead,) = leads
    if not lead:
        raise CheckpointError("it is not replicated: the step has no axis")
    for count in lead:
        tree = _first(tree, (), count)
    return tree


def _first(tree: Tree, path: Path, count: int) -> Tree:
    if isinstance(tree, dict):
        return {name: _first(child, (*path, name), count) for name, child in tree.items()}
    if isinstance(tree, list):
        return [_first(child, (*path, str(i)), count) for i, child in enumerate(tree)]
    if not isinstance(tree, Array):
        return tree
    if tree.shape[:1] != (count,):
        raise CheckpointError(f"{spell(path)} of shape {tree.shape} does not have {count} replicas")
    if not _same(tree):
        raise CheckpointError(f"the replicas of {spell(path)} differ, so none can stand for all")
    return tree.first()


def _same(array: Array) -> bool:
    """Compare each replica with the first, a block at a time."""
    if len(array.pieces) != 1:
        whole = array.to_numpy()
        return bool((whole == whole[:1]).all())
    (piece,) = array.pieces
    length = piece.length // array.shape[0]
    first = Bytes(piece.buffer, piece.start, length)
    others = (
        Bytes(piece.buffer, piece.start + i * length, length) for i in range(1, array.shape[0])
    )
    return all(
        bytes(left) == bytes(right)
        for other in others
        for left, right in zip(first.blocks(), other.blocks(), strict=True)
    )
