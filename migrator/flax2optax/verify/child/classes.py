"""Optimizer classes of the program's own: they keep flax's interface, and have Optax's beside it after a migration."""

import builtins
from collections.abc import Callable
from typing import Any, Final

INTERFACES: Final = frozenset({"init", "update", "init_state", "apply_gradient"})
"""Optax's two, and the two of flax that no other kind of class has."""


def watch_new_classes(found: Callable[[type], None]) -> None:
    """Call back for every class that has both interfaces, as soon as the program makes it."""
    original: Any = builtins.__build_class__

    def build(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        if isinstance(made, type) and vars(made).keys() >= INTERFACES:
            found(made)
        return made

    builtins.__build_class__ = build
