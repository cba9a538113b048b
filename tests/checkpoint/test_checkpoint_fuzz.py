"""Damaged and forged files: a sentence or a result, never a traceback, foreign code, or memory for a forged length."""

import pickle
import random
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from saved import adam, data

from flax2optax.checkpoint import CheckpointError
from flax2optax.checkpoint.convert import Wish, convert_tree
from flax2optax.checkpoint.source import read_checkpoint
from flax2optax.checkpoint.target import make_target

MOST_MEMORY = 32 << 20
ROUNDS = 300


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST_MEMORY


def flipped(content: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, most of them where the structure is."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] = chance.choice((0, 0xFF, chance.randrange(256)))
    return bytes(changed)


def read(content: bytes, folder: Path, *, allow_pickle: bool = False) -> object:
    """The tree, or the sentence."""
    (folder / "file").write_bytes(content)
    try:
        return read_checkpoint(folder / "file", allow_pickle=allow_pickle)
    except CheckpointError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(4))
def test_flips_and_cuts_are_a_result_or_a_sentence(seed: int, tmp_path: Path) -> None:
    chance, content, sentences = random.Random(seed), data(adam()), 0
    for _ in range(ROUNDS):
        change = flipped(content, chance)
        if chance.random() < 0.3:
            change = change[: chance.randrange(len(change))]
        sentences += isinstance(read(change, tmp_path), str)
    assert sentences > ROUNDS // 4


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_flips_and_cuts_of_pickles(protocol: int, tmp_path: Path) -> None:
    held = jax.tree_util.tree_map(np.asarray, adam())
    content, chance, sentences = pickle.dumps(held, protocol), random.Random(protocol), 0
    for _ in range(ROUNDS):
        found = read(flipped(content, chance), tmp_path, allow_pickle=True)
        sentences += isinstance(found, str)
    assert sentences > ROUNDS // 10


def test_what_can_still_be_read_is_converted_or_refused(tmp_path: Path) -> None:
    chance, content, target = random.Random(9), data(adam()), make_target("adam", {})
    converted = 0
    for _ in range(40):
        tree = read(flipped(content, chance), tmp_path)
        try:
            convert_tree(tree, Wish({"": target}))
            converted += 1
        except CheckpointError:
            continue
    assert 0 < converted < 40


def test_an_array_that_a_pickle_names_many_times_is_held_once(tmp_path: Path) -> None:
    array = np.zeros(1 << 20, np.uint8)
    content = pickle.dumps({str(number): array for number in range(200)})
    found = read(content, tmp_path, allow_pickle=True)
    assert isinstance(found, dict)
    assert len(found) == 200


BUILDS = {
    "a function": b"cnumpy\nscalar\nN}X\x04\x00\x00\x00evilK\x01s\x86b.",
    "fields for a dtype": (
        b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R(K\x03X\x01\x00\x00\x00<NX\x01\x00\x00\x00a\x85}"
        b"J\x00\x00\x00\x40K\x01K?tb."
    ),
}


@pytest.mark.parametrize("content", BUILDS.values(), ids=["a_function", "a_dtype"])
def test_a_pickle_changes_nothing_of_ours(content: bytes, tmp_path: Path) -> None:
    from flax2optax.checkpoint import pickled

    found = read(b"\x80\x02" + content, tmp_path, allow_pickle=True)
    assert isinstance(found, str)
    assert not hasattr(pickled._scalar, "evil")
    assert np.dtype("f4").itemsize == 4 and np.dtype("f4").names is None


HUGE = 0xFFFFFFFF
FORGED = {
    "a map": b"\xdf" + struct.pack(">I", HUGE),
    "a list": b"\xdd" + struct.pack(">I", HUGE),
    "a text": b"\xdb" + struct.pack(">I", HUGE),
    "bytes": b"\xc6" + struct.pack(">I", HUGE),
    "an extension": b"\xc9" + struct.pack(">Ib", HUGE, 1),
    "a shape": b"\xc7\x13\x01\x93\x91\xcf" + struct.pack(">Q", 1 << 60) + b"\xa5int32\xc4\x00",
    "a shape of many axes": b"\xc7\x40\x01\x93\xdc\x00\xff" + bytes(60),
    "lists in lists": b"\x91" * 100_000,
    "the pickle of bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
    "a pickle of an array": pickle.dumps(
        {"a": np.zeros(4, np.float32)}, 2
    ).replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85"),
    "the memo of a pickle": b"\x80\x04]r" + struct.pack("<I", HUGE) + b".",
    "a pickle's own laughs": b"\x80\x02]q\x00" + b"".join(
        b"]q" + bytes([n]) + (b"h" + bytes([n - 1]) + b"a") * 9 for n in range(1, 30)
    ) + b".",
}  # fmt: skip


@pytest.mark.parametrize(
    "content", FORGED.values(), ids=[name.replace(" ", "_") for name in FORGED]
)
def test_a_forged_length_takes_no_memory(content: bytes, tmp_path: Path) -> None:
    found = read(content, tmp_path, allow_pickle=True)
    assert isinstance(found, str | list)
    assert isinstance(found, str) or not found
