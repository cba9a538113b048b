"""The command of `--probe`: calls the user's function and makes the steps it describes.

It yields pytrees, and each of them is compared; or it returns `(train_step, state, batches)`,
and `state = train_step(state, batch)`, or the first of what that returns, is done for every batch.
"""

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from . import session as sessions


def drive(entry: str) -> None:
    """Run the probe until it ends, or has made the steps that are wanted."""
    sys.path.insert(0, os.getcwd())
    module, _, function = entry.partition(":")
    made = getattr(importlib.import_module(module), function or "probe")()
    found = _stepped(*made) if isinstance(made, tuple) and len(made) == 3 else iter(made)
    for number, tree in enumerate(found, start=1):
        limit = _tell(tree)
        if limit and number >= limit:
            break


def _stepped(train_step: Any, state: Any, batches: Iterable[Any]) -> Iterator[None]:
    """The recorder sees the steps; there is nothing to yield."""
    kind = type(state)
    for batch in batches:
        result = train_step(state, batch)
        own = type(result) is kind and not (type(result) is tuple and len(result) != len(state))
        state = result if own else result[0]
        yield None


def _tell(tree: Any) -> int:
    session = sessions.CURRENT
    if session is None or tree is None:
        return 0
    if not session.task.light:
        from .sites import leaves_of

        session.recorder.take("yield", "probe", {}, {"yield": leaves_of(tree)})
    return session.task.steps or session.task.limits.get("probe", 0)


if __name__ == "__main__":
    drive(sys.argv[1])
