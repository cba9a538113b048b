"""What PERFORMANCE promises for checkpoints, measured: conversion against copying, and resident memory.

`python benchmarks/checkpoint.py [MEBIBYTES]`: the size of the checkpoint that is made for it, 2048 without one.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from flax2optax.checkpoint.packing import pack
from flax2optax.checkpoint.tree import Array, Bytes, Tree

LEAF = 1 << 26
PROGRAM = "import sys; from flax2optax.cli import main; sys.exit(main())"


def main(mebibytes: int) -> None:
    """Print one line for each goal."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "checkpoint_1000", Path(folder) / "new"
        for optimizer in ("Adam()", "LARS()"):
            make(source, mebibytes << 20, optimizer)
            size = source.stat().st_size / 2**20
            pairs = [(copy(source, target), convert(source, target, optimizer)) for _ in range(2)]
            ratio = min(seconds for _, (seconds, _) in pairs) / min(copying for copying, _ in pairs)
            memory = max(memory for _, (_, memory) in pairs)
            print(f"{optimizer} of {size:.0f} MiB against copying it  {ratio:6.2f}  (goal 3)")
            print(f"peak resident memory of that, MiB  {memory:6.0f}  (goal 600)")


def make(place: Path, size: int, optimizer: str = "Adam()") -> None:
    """Write what flax would have saved: params and moments, in leaves of 64 MiB."""
    fields = ("grad_ema", "grad_sq_ema") if optimizer == "Adam()" else ("momentum",)
    count = max(1, -(-size // (LEAF * (1 + len(fields)))))
    noise = os.urandom(LEAF)
    leaf = Array((LEAF // 4096, 1024), "float32", (Bytes(noise, 0, LEAF),))
    step = Array((), "int32", (Bytes((1000).to_bytes(4, "little"), 0, 4),))
    names = [f"layer_{number}" for number in range(count)]
    states: Tree = {name: dict.fromkeys(fields, leaf) for name in names}
    tree = {"target": dict.fromkeys(names, leaf), "state": {"step": step, "param_states": states}}
    with open(place, "wb") as file:
        pack(tree, file)
        file.flush()
        os.fsync(file.fileno())


def copy(source: Path, target: Path) -> float:
    """Seconds to copy the file and bring the copy to the disk."""
    start = time.perf_counter()
    with open(source, "rb") as old, open(target, "wb") as new:
        for block in blocks(old.fileno()):
            new.write(block)
        new.flush()
        os.fsync(new.fileno())
    seconds = time.perf_counter() - start
    target.unlink()
    return seconds


def blocks(handle: int) -> Iterator[bytes]:
    """The bytes of a file."""
    while block := os.read(handle, 1 << 23):
        yield block


def convert(source: Path, target: Path, optimizer: str) -> tuple[float, float]:
    """Seconds and mebibytes of the command."""
    target.unlink(missing_ok=True)
    command = [sys.executable, "-c", PROGRAM, "checkpoint", "-q", "--optimizer", optimizer]
    start = time.perf_counter()
    child = subprocess.Popen([*command, str(source), str(target)])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit("the conversion failed")
    return time.perf_counter() - start, memory(usage)


def memory(usage: resource.struct_rusage) -> float:
    """Peak resident memory; macOS counts bytes, others kibibytes."""
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 2048)
