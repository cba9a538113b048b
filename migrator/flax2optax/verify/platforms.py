"""Which kinds of devices there are, asked in a child process because JAX never gives them back."""

import subprocess
from collections.abc import Sequence
from typing import Final

KNOWN: Final = ("cpu", "gpu", "tpu")
ASK: Final = """
import jax
for name in ('cpu', 'gpu', 'tpu'):
    try:
        print(name) if jax.devices(name) else None
    except RuntimeError:
        pass
"""


def platforms(wanted: str, python: str) -> Sequence[str]:
    """The one that is wanted, or all there are."""
    if wanted != "all":
        return (wanted,)
    done = subprocess.run([python, "-c", ASK], capture_output=True, text=True)
    return [name for name in done.stdout.split() if name in KNOWN] or ["cpu"]
