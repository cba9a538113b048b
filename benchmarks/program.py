"""What a whole program costs: a tree of modules of which some matter, then twice the tree, then twice what matters.

    python benchmarks/program.py [--keep FOLDER]

Prints time, the ratio of processor time to the first tree, and the peak memory of each check.
The modules that matter come in groups of eight, as real programs have them: a factory, a state, its creation, a step,
an evaluation, checkpoints, a trainer class, a script; every second group is an agent with several optimizers in classes
that inherit.
The others are models, data and arithmetic of the same size.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from program_text import AGENT, FILLER, IMPORTS, MODULE, TRAINER

TOP = Path(__file__).parents[1]
GROUP = 8
SIZES = ((300, 40), (600, 40), (300, 80))
SECONDS, MIB = 10, 1024
PROGRAM = "import sys; from flax2optax.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Cost:
    """Of one check: median seconds of the clock and of the processor, most MiB, and the last line that it printed."""

    seconds: float
    cpu: float
    mib: float
    said: str


def main(arguments: Sequence[str]) -> int:
    """Measure each size; the exit code is 1 if a goal is missed or a flow does not migrate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="write the trees here, and leave them")
    parser.add_argument("--runs", type=int, default=3, help="the median of so many")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        costs = [check(*size, asked.keep or Path(folder), asked.runs) for size in SIZES]
    for (modules, matter), cost in zip(SIZES, costs, strict=True):
        ratio = cost.cpu / costs[0].cpu
        size = f"{modules} modules, {matter} that matter"
        spent = f"{cost.seconds:6.2f} s, processor {cost.cpu:6.2f} s ({ratio:4.2f} ×)"
        print(f"{size:30} {spent}, {cost.mib:4.0f} MiB: {cost.said}")
    print(
        f"goals: the first below {SECONDS} s and {MIB} MiB; the second hardly more, the third twice"
    )
    whole = all(", 0 need you" in cost.said for cost in costs)
    return int(not whole or costs[0].seconds > SECONDS or costs[0].mib > MIB)


def check(modules: int, matter: int, folder: Path, runs: int) -> Cost:
    """Plant a tree and check it a few times."""
    tree = folder / f"{modules}_{matter}"
    plant(tree, modules, matter)
    found = [measured(tree) for _ in range(runs)]
    return Cost(
        median(one.seconds for one in found),
        median(one.cpu for one in found),
        max(one.mib for one in found),
        found[0].said,
    )


def measured(tree: Path) -> Cost:
    """One check in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, "check", "--isolated", "--output-format", "concise"]
    path = os.pathsep.join([str(TOP / "migrator"), str(TOP / "rules")])
    start = time.perf_counter()
    child = subprocess.Popen(
        [*command, str(tree)],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    last = said.rstrip().rsplit("\n", 1)[-1]
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, last)


# The tree


def plant(tree: Path, modules: int, matter: int) -> None:
    """Write the program; its packages have names of their own, so that every import means one module."""
    tree.mkdir(parents=True, exist_ok=True)
    (tree / "pyproject.toml").write_text("[project]\nname = 'program'\n")
    for number in range(matter // GROUP):
        texts = AGENT if number % 2 else TRAINER
        assert len(texts) == GROUP
        for name, text in texts.items():
            write(tree / f"group{number}" / f"{name}.py", text.replace("GROUP", f"group{number}"))
    for number in range(modules - matter):
        write(tree / f"part{number % 20}" / f"module{number}.py", MODULE.replace("N", str(number)))


def write(path: Path, text: str) -> None:
    """A module with as much arithmetic as real ones have beside what it is there for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "__init__.py").touch()
    path.write_text(text + "".join(filler(path.stem)))


def filler(name: str) -> Iterator[str]:
    """Functions that no optimizer passes."""
    yield IMPORTS
    for number in range(12):
        yield FILLER.replace("NAME", f"{name}_{number}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
