"""Bytes before trees: does a file name the API at all? Imports nothing, so that the answer no costs nothing."""

_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_ALONE = (b"apply_gradient", b"compute_gradient", b"OptimizerDef", b"MultiOptimizer")


def mentions_api(data: bytes) -> bool:
    """Return whether a file with these bytes may use flax.optim without importing it through another file.

    `flax` with the word `optim`, or a name that is the API's own; a comment or a string is enough.
    """
    if b"flax" in data and _has_word(data, b"optim"):
        return True
    return any(_has_word(data, word) for word in _ALONE)


def _has_word(data: bytes, word: bytes) -> bool:
    start = data.find(word)
    while start >= 0:
        end = start + len(word)
        if _begins(data, start) and (end == len(data) or data[end] not in _WORD):
            return True
        start = data.find(word, end)
    return False


def _begins(data: bytes, start: int) -> bool:
    """In a notebook the word may follow the `n` of an escaped line end."""
    return start == 0 or data[start - 1] not in _WORD or data[start - 2 : start - 1] == b"\\"
