"""What PERFORMANCE promises, measured: only ratios within one run mean anything.

`python benchmarks/speed.py [FILE...]`: FILEs are candidates; without any, the fixtures are.
"""

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import libcst

from flax2optax.codemod.collect import Selection, collect
from flax2optax.codemod.outcome import Options

TOP = Path(__file__).parents[1]
PROGRAM = "import sys; from flax2optax.cli import main; sys.exit(main())"


def main(names: Sequence[str]) -> None:
    """Print one line for each goal."""
    with tempfile.TemporaryDirectory() as folder:
        tree = plant(Path(folder), 2000)
        hook = [str(path) for path in sorted(tree.rglob("*.py"))[:10]]
        bare = wall([sys.executable, "-c", "pass"])
        lean = wall([sys.executable, "-c", PROGRAM, *hook])
        print(f"ten irrelevant files against an empty Python      {lean / bare:6.2f}  (goal 2.5)")
        print(
            f"libcst imported for a tree without the API        {imports_libcst(tree)!s:>6}  (goal False)"
        )
        walk, ours = cpu(lambda: read_all(tree)), cpu(lambda: run_collect(tree))
        print(f"a tree without the API against walk and read      {ours / walk:6.2f}")
        print(f"peak memory of that, MiB                          {peak(tree):6.0f}  (goal 40)")
    candidates(names or [str(path) for path in sorted((TOP / "fixtures").glob("*/before"))])


def candidates(names: Sequence[str]) -> None:
    """A check of candidate files against a bare parse of the same files."""
    from flax2optax.codemod.pipeline import migrate

    collected, _ = collect(list(names), Selection(TOP))
    sources = collected.candidates
    alone = [replace(one, root=one.path.parent) for one in sources]
    parse = cpu(lambda: [libcst.parse_module(one.text) for one in sources])
    for what, files, projects in (
        ("each folder a program", alone, {}),
        ("one program", sources, collected.projects),
    ):
        cost = cpu(partial(migrate, files, Options(), projects)) / parse
        print(
            f"{len(sources)} candidates, {what}, against a parse".ljust(50)
            + f"{cost:6.2f}  (goal 4)"
        )


def plant(top: Path, count: int) -> Path:
    """A tree of files that do not mention the API."""
    text = (TOP / "migrator/flax2optax/codemod/diagnostic.py").read_bytes() * 8
    for number in range(count):
        path = top / f"p{number % 50}" / f"m{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
    return top


def read_all(tree: Path) -> None:
    """The floor in Python: walk, read, search."""
    waiting = [str(tree)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name.endswith(".py"):
                    with open(entry.path, "rb", buffering=0) as file:
                        assert b"flax.optim" not in file.read()


def run_collect(tree: Path) -> None:
    """The same through the stage."""
    collected, _ = collect([str(tree)], Selection(tree))
    assert not collected.candidates


def imports_libcst(tree: Path) -> bool:
    """Whether a run over the tree imports LibCST."""
    program = "import sys; from flax2optax.cli import main; main(); print('libcst' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tree)], capture_output=True, text=True
    )
    return done.stdout.endswith("True\n")


def peak(tree: Path) -> float:
    """The memory of a child that checks the tree."""
    subprocess.run(
        [sys.executable, "-c", PROGRAM, "check", str(tree)], check=True, stdout=subprocess.DEVNULL
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def wall(command: Sequence[str]) -> float:
    """The median wall time of a command."""
    times = []
    for _ in range(15):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return median(times)


def cpu(work: Callable[[], object]) -> float:
    """The median processor time of some work in this process."""
    times = []
    for _ in range(5):
        gc.collect()
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return median(times)


if __name__ == "__main__":
    main(sys.argv[1:])
