"""The command that `flax2optax verify` runs on a package: trains what the package in this folder trains.

    flax2optax verify FOLDER -- python tests/ecosystem/launch.py PACKAGE [PROGRAM ...]

The package's own sources are what runs; only what they lack today is put in place here, alike before and after.
"""

import os
import sys
import warnings

import stand_ins
import training_programs


def main(package: str, *names: str) -> None:
    """All of the package's programs, or those that are named."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, os.getcwd())
    stand_ins.import_modules(training_programs.MODULES[package])
    programs = training_programs.programs(package)
    for name in names or programs:
        for number, _ in enumerate(programs[name](), start=1):
            print(f"{name}: update {number}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
