"""Bytes before trees: does a file name the API at all? Imports nothing, so that the answer no costs nothing."""

NOTHING_FOUND = "No use of flax.optim found.\n"
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_REMARKS = (b"TODO(flax2optax)", b"flax2optax: ignore[")
_LAYOUTS = (b"']['target']", b'"]["target"]')
_STEPS = (b"apply_gradient", b"compute_gradient")


def mentions_api(data: bytes | bytearray, end: int | None = None) -> bool:
    """Return whether a file with these bytes (up to `end`) may use flax.optim.

    That is `flax` with the word `optim`, or a step by its own name; a comment or a string is enough.
    So is a comment that speaks to this program: it may have outlived what it speaks about.
    So are the keys of a stored optimizer: who reads old checkpoints by them is told.
    """
    if data.find(b"flax", 0, end) >= 0:
        if _has_word(data, b"optim", end):
            return True
        if any(data.find(words, 0, end) >= 0 for words in (*_REMARKS, *_LAYOUTS)):
            return True
    if data.find(b"_gradient", 0, end) < 0:
        return False
    return any(_has_word(data, word, end) for word in _STEPS)


def _has_word(data: bytes | bytearray, word: bytes, end: int | None) -> bool:
    stop = len(data) if end is None else end
    at = data.find(word, 0, stop)
    while at >= 0:
        after = at + len(word)
        if _begins(data, at) and (after == stop or data[after] not in _WORD):
            return True
        at = data.find(word, after, stop)
    return False


def _begins(data: bytes | bytearray, at: int) -> bool:
    """In a notebook the word may follow the `n` of an escaped line end."""
    return at == 0 or data[at - 1] not in _WORD or data[at - 2 : at - 1] == b"\\"
