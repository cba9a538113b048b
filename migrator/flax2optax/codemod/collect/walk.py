"""Finds the Python files below a folder. Folders behind symbolic links are not entered, files behind them are read."""

import errno
import os
from collections.abc import Iterator

from flax2optax.codemod.collect.ignore import Rules, is_environment, rules_above

PYTHON = (".py", ".pyi")
NOTEBOOK = (".ipynb",)

Found = tuple[str, Rules]


def walk(top: str, rules: Rules, endings: tuple[str, ...]) -> Iterator[Found | OSError]:
    """Yield the Python files below the absolute path `top`, and what could not be opened.

    Files come with the rules of their folder and are not matched against them here, since few of them matter.
    """
    try:
        waiting = [(top, rules_above(top, rules))]
    except OSError as problem:
        yield problem
        return
    while waiting:
        folder, above = waiting.pop()
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as problem:
            yield problem
            continue
        names = frozenset([entry.name for entry in entries])
        if folder != top and is_environment(names):
            continue
        here = above.inside(folder, names)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not here.skips(entry.path, folder=True):
                    waiting.append((entry.path, here))
            elif entry.name.endswith(endings):
                yield from _file(entry, here)


def _file(entry: "os.DirEntry[str]", rules: Rules) -> Iterator[Found | OSError]:
    """An editor's lock is a link to nowhere whose name begins with `.#`; any other dead link is reported."""
    if entry.is_file():
        yield entry.path, rules
    elif entry.is_symlink() and not os.path.exists(entry.path) and not entry.name.startswith(".#"):
        yield FileNotFoundError(errno.ENOENT, "the link leads nowhere", entry.path)
