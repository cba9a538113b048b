"""A child process that trains what a package trains: `launch.py PACKAGE FOLDER before|after OUT`.

Both sides run under this one launcher: the same stand-ins, seeds, precisions and recording.
Only `before` finds a `flax.optim`, the real one, and is run again from disturbed parameters to see what rounding does.
`OUT` becomes a folder with one file of leaves per program and run.
"""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import stand_ins
import training_programs

from flax2optax.verify import serve
from flax2optax.verify.precision import disturbed_create, float64
from flax2optax.verify.programs import CONTROLS
from flax2optax.verify.verdict import leaves_by_path

RECORDED = (1, 2, 3, 5, 8, 13, 20, 21, 25, 30)


def main(package: str, folder: str, side: str, out: str) -> None:
    """Train everything, in float32 and in float64."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    with ExitStack() as stack:
        optim = stack.enter_context(serve()) if side == "before" else None
        stand_ins.import_modules(training_programs.MODULES[package])
        for name, program in training_programs.programs(package).items():
            save(Path(out, name, "float32"), program())
            with float64():
                for seed in (0, *(CONTROLS if optim else ())):
                    with disturbed(optim, seed):
                        save(Path(out, name, f"float64-{seed}"), program())


@contextmanager
def disturbed(optim: Any, seed: int) -> Iterator[None]:
    """From disturbed parameters where there is a seed."""
    if not seed:
        yield
        return
    with disturbed_create(optim.OptimizerDef, seed):
        yield


def save(path: Path, steps: Iterable[Any]) -> None:
    """The leaves at some of the steps, the last one always among them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    leaves = {number: leaves_by_path(step) for number, step in enumerate(steps, 1)}
    kept = {number for number in leaves if number in RECORDED} | {max(leaves)}
    arrays = {f"{n}|{name}": leaf for n in kept for name, leaf in leaves[n].items()}
    np.savez(path.with_name(path.name + ".npz"), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
