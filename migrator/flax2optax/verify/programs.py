"""Run a program before and after its migration, in one process but each as if it were alone, and compare them."""

import contextlib
import importlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from .precision import disturbed_create, float64
from .reference import DEPRECATIONS, serve
from .verdict import Run, Verdict, judge, leaves_by_path

CONTROLS: Final = (1, 2, 3)
Probe = Callable[[], Iterable[Any]]
"""Runs a program from its start and yields a pytree after every step."""


class ProgramError(Exception):
    """One of the two programs fails for reasons of its own; `__cause__` is what it raised."""


def compare(before: Probe, after: Probe) -> Verdict:
    """Run both probes in float64, `before` on the served reference and with its control runs."""
    with float64():
        with serve() as optim:
            old, *controls = (_disturbed(before, optim, seed) for seed in (0, *CONTROLS))
        return judge(old, controls, _recorded(after))


def compare_programs(before: Path, after: Path, entry: str = "train:probe") -> Verdict:
    """Compare what `module:function` yields in two source trees."""
    return compare(_probe_of(before, entry, "before"), _probe_of(after, entry, "after"))


def _disturbed(probe: Probe, optim: Any, seed: int) -> Run:
    with disturbed_create(optim.OptimizerDef, seed):
        return _recorded(probe)


def _recorded(probe: Probe) -> Run:
    """Brought to the host at each step: the program may donate or overwrite what it yields."""
    with warnings.catch_warnings():
        for message in DEPRECATIONS:
            warnings.filterwarnings("ignore", message=message, category=DeprecationWarning)
        return [leaves_by_path(tree) for tree in probe()]


def _probe_of(folder: Path, entry: str, side: str) -> Probe:
    module, _, function = entry.partition(":")

    def probe() -> Iterator[Any]:
        with alone(folder.resolve()):
            try:
                yield from getattr(importlib.import_module(module), function)()
            except Exception as error:
                message = f"the program {side} fails: {type(error).__name__}: {error}"
                raise ProgramError(message) from error

    return probe


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Import from `folder` first, run in it, and forget its modules afterwards."""
    known = set(sys.modules)
    writes_bytecode = sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.dont_write_bytecode = writes_bytecode
        sys.path.remove(str(folder))
        # A namespace package asks for its parent, so none goes before all have been asked.
        below = [n for n in set(sys.modules) - known if _is_below(sys.modules[n], folder)]
        for name in below:
            del sys.modules[name]


def _is_below(module: Any, folder: Path) -> bool:
    """Namespace packages have no file, so their paths count as well."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(place and Path(place).resolve().is_relative_to(folder) for place in places)
