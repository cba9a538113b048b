"""Names while the lines of a clip are run: what is local to its helpers, and what only the program knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.plan.clip_places import Place, Scope

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A number that only the program knows: a name, and the scope that binds it (None where it is no name)."""

    key: Key
    name: str = ""
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Env:
    """Where a name is looked up: the locals of the helpers, then the lines above `place`, then `scope` and out."""

    names: Mapping[str, object]
    place: Place | None
    scope: Scope

    def with_names(self, names: Mapping[str, object]) -> Env:
        """The same, with more locals."""
        return Env({**self.names, **names}, self.place, self.scope)


def owner(scope: Scope, name: str) -> Scope:
    """The scope that binds a name, from the inside out."""
    while isinstance(scope, t.Function):
        if name in scope.locals:
            return scope
        scope = scope.parent or scope.module
    return scope
