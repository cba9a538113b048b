"""argv in, exit code out. Imports a program only when it is asked for, and hardly anything before that."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from flax2optax.cli.glance import glance

    arguments = sys.argv[1:] if argv is None else list(argv)
    answer = glance(arguments)
    if answer is not None:
        sys.stdout.write(answer)
        return 0
    from flax2optax.cli.program import run

    return run(arguments)
