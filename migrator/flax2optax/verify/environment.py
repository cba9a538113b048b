"""The environment that the programs run in: whether it is new enough, and which kinds of devices it has.

Devices are asked for in a child process, because JAX never gives them back.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from .outcome import CannotRunError

NEEDED: Final[Mapping[str, str]] = {"jax": "0.5.1", "flax": "0.10", "optax": "0.2.4"}
"""As in the extra `verify`."""
KNOWN: Final = ("cpu", "gpu", "tpu")
ASK_VERSIONS: Final = """
import importlib.metadata, json
print(json.dumps({
    dist.metadata['Name'].lower(): dist.version
    for dist in reversed(list(importlib.metadata.distributions()))
    if dist.metadata['Name']
}))
"""
ASK_DEVICES: Final = """
import jax
for name in ('cpu', 'gpu', 'tpu'):
    try:
        print(name) if jax.devices(name) else None
    except RuntimeError:
        pass
"""


def check_versions(python: str) -> None:
    """Raise CannotRunError where jax, flax or optax is not there or too old."""
    found = _own_versions() if python == sys.executable else _versions_of(python)
    for name, needed in NEEDED.items():
        if not found.get(name):
            raise CannotRunError(
                f"{python} has no {name}; verify needs jax, flax and optax: "
                "pip install 'flax2optax[verify]'"
            )
        if _numbers(found[name]) < _numbers(needed):
            raise CannotRunError(
                f"{name} {found[name]} is not supported; verify needs {name} {needed} or later."
            )


def platforms(wanted: str, python: str) -> Sequence[str]:
    """The kind of device that is wanted, or all there are. Raises CannotRunError where it is not there."""
    if wanted in ("", "cpu"):
        return (wanted,)
    found = [name for name in _ask(python, ASK_DEVICES).split() if name in KNOWN]
    if wanted == "all":
        return found
    if wanted not in found:
        raise CannotRunError(f"There is no {wanted} here; jax finds {' and '.join(found)}.")
    return (wanted,)


def _own_versions() -> dict[str, str]:
    found = {}
    for name in NEEDED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _versions_of(python: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(_ask(python, ASK_VERSIONS))
    return found


def _ask(python: str, program: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    try:
        done = subprocess.run(
            [python, "-c", program], capture_output=True, text=True, env=environment
        )
    except OSError as problem:
        raise CannotRunError(f"{python} cannot be run: {problem.strerror}.") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise CannotRunError(f"{python} cannot be asked for its packages and devices: {lines[-1]}")
    return done.stdout


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:3]
    digits = ("".join(char for char in part if char.isdigit()) for part in parts)
    return tuple(int(one or 0) for one in digits)
