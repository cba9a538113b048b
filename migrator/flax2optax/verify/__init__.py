"""Before and after, side by side: the proof that a migrated train step trains the same.

In: two programs, or two callables, that yield a pytree after every step.
Out: a `Verdict` of one comparison, a `Report` of a whole proof.
Never: anything of the codemod, and nothing is installed or left behind in the user's environment.

Names are imported when they are asked for: the hook of a child process must not import JAX before the program does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .programs import ProgramError, compare, compare_programs
    from .reference import ReferenceUnavailableError, fetch, serve
    from .verdict import Verdict

__all__ = [
    "ProgramError",
    "ReferenceUnavailableError",
    "Verdict",
    "compare",
    "compare_programs",
    "fetch",
    "serve",
]

_HOMES = {
    "ProgramError": "programs",
    "ReferenceUnavailableError": "reference",
    "Verdict": "verdict",
    "compare": "programs",
    "compare_programs": "programs",
    "fetch": "reference",
    "serve": "reference",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
