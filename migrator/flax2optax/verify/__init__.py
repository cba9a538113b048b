"""Before and after, side by side: the proof that a migrated train step trains the same.

In: two programs, or two callables, that yield a pytree after every step.
Out: a `Verdict`.
Never: anything of the codemod, and nothing is installed or left behind in the user's environment.
"""

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
