"""Waits for imports: as soon as jax, flax or optax is there, its optimizer places are watched."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .task import read_task

if TYPE_CHECKING:
    from .session import Session

Hook = Callable[[ModuleType], None]


def wait_for_imports() -> None:
    """Called once, before the program's first line; nothing but these hooks is loaded until jax is."""
    hooks: dict[str, Hook] = {
        "jax": _jax_is_there,
        "flax": _flax_is_there,
        "flax.training.train_state": _train_state_is_there,
        "optax": _optax_is_there,
    }
    sys.meta_path.insert(0, _AfterImport(hooks))


def _jax_is_there(jax: ModuleType) -> None:
    _session().jax_is_there(jax)


def _flax_is_there(flax: ModuleType) -> None:
    _session().flax_is_there(flax)


def _train_state_is_there(module: ModuleType) -> None:
    _session().train_state_is_there(module)


def _optax_is_there(optax: ModuleType) -> None:
    _session().optax_is_there(optax)


def _session() -> "Session":
    from . import session as sessions

    if sessions.CURRENT is None:
        sessions.CURRENT = sessions.Session(read_task())
    return sessions.CURRENT


class _AfterImport(MetaPathFinder):
    """Finds what the other finders find, and calls a hook when the module has been run."""

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self.hooks = dict(hooks)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        hook = self.hooks.pop(fullname, None)
        if hook is None:
            return None
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Telling(spec.loader, hook)
        return spec


class _Telling(Loader):
    """The module's own loader, and then the hook."""

    def __init__(self, loader: Loader, hook: Hook) -> None:
        self.loader = loader
        self.hook = hook

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.hook(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)
