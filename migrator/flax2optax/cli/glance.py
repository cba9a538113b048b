"""The common case of a hook: a few files, none of which names the API. Answered without importing anything costly.

Whatever is not plainly that case is left to the whole program.
"""

import os
from collections.abc import Sequence

from flax2optax.codemod.mention import NOTHING_FOUND, mentions_api

_QUIET = frozenset({"-q", "--quiet"})
_FLAGS = {
    "check": _QUIET | {"--exit-zero", "--isolated"},
    "migrate": _QUIET | {"--allow-dirty", "--exit-non-zero-on-fix", "--exit-zero", "--isolated"},
}
_ENDINGS = (".py", ".pyi", ".ipynb")


def glance(arguments: Sequence[str]) -> str | None:
    """Return what to print if there is nothing to do, None if that takes a closer look."""
    named = arguments[0] if arguments and arguments[0] in _FLAGS else None
    words = arguments[1:] if named else arguments
    paths = [word for word in words if not word.startswith("-")]
    flags = {word for word in words if word.startswith("-")}
    if not paths or not flags <= _FLAGS[named or "migrate"]:
        return None
    if not all(_is_irrelevant(path) for path in paths):
        return None
    if "--isolated" not in flags and _may_be_configured(paths):
        return None
    return "" if flags & _QUIET else NOTHING_FOUND


def _is_irrelevant(path: str) -> bool:
    """What cannot be read here is reported by the whole program."""
    data = _read(path) if path.endswith(_ENDINGS) and os.path.isfile(path) else None
    return data is not None and not mentions_api(data)


def _may_be_configured(paths: Sequence[str]) -> bool:
    """Some `pyproject.toml` above speaks of this program, or cannot be read."""
    folder = config_start(paths)
    while True:
        name = os.path.join(folder, "pyproject.toml")
        if os.path.exists(name):
            data = _read(name)
            if data is None or b"flax2optax" in data:
                return True
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above


def config_start(paths: Sequence[str]) -> str:
    """Return the folder that the search for a configuration begins in: the lowest that holds all paths."""
    folders = [path if os.path.isdir(path) else os.path.dirname(path) for path in paths]
    try:
        return os.path.commonpath([os.path.realpath(folder) for folder in folders])
    except ValueError:
        return os.getcwd()


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return None
