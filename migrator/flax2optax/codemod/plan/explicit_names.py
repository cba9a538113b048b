"""Names of the explicit form: which scope a name belongs to, and what an optimizer's two halves are called there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything

Scope = t.Function | t.Module
_OPTIMIZER_WORD = re.compile(r"optimizer|optimiser|optim|opt", re.IGNORECASE)


class NotExplicit(Exception):
    """Why a flow cannot take the explicit form; `node` is where."""

    def __init__(self, node: NodeId, reason: str) -> None:
        super().__init__(reason)
        self.node, self.reason = node, reason


def functions_above(above: Sequence[Node]) -> list[t.Function]:
    """The functions around a node, innermost first; a decorator or default is outside of its function."""
    found = []
    for index, node in enumerate(above):
        if isinstance(node, t.Function):
            inner = above[index + 1] if index + 1 < len(above) else None
            if inner is None or not (inner in node.decorators or isinstance(inner, t.Parameter)):
                found.append(node)
    return found[::-1]


def scope_of(name: str, above: Sequence[Node], module: t.Module) -> Scope:
    """The function (or module) whose variable `name` is, as seen from a node."""
    for function in functions_above(above):
        if name in function.locals:
            return function
    return module


@dataclass(frozen=True, slots=True)
class Halves:
    """What the params and the optimizer state of one variable are called."""

    params: str
    state: str


@dataclass
class Namer:
    """Chooses names for one module; `uses` are the optimizer-valued names with the nodes above them."""

    module: t.Module
    uses: list[tuple[t.Name, tuple[Node, ...]]]
    # Names that other flows of the module bind in this form, each with the id of its scope.
    others: list[tuple[NodeId, str]] = field(default_factory=list)
    # By variable, what the statement that first binds it reads: names, each with the last place.
    made_from: dict[tuple[NodeId, str], dict[str, NodeId]] = field(default_factory=dict)
    _chosen: dict[tuple[NodeId, str], Halves] = field(default_factory=dict)
    _names: list[tuple[str, NodeId, Scope, tuple[Node, ...]]] | None = None

    def halves(self, scope: Scope, name: str) -> Halves:
        """The two names that stand for the optimizer `name` of `scope`."""
        key = (scope_id(scope), name)
        if key not in self._chosen:
            self._chosen[key] = self._choose(scope, name)
        return self._chosen[key]

    def chosen(self) -> list[tuple[NodeId, str]]:
        """Every name that was chosen, with the id of its scope."""
        return [(id_, n) for (id_, _), h in self._chosen.items() for n in (h.params, h.state)]

    def _choose(self, scope: Scope, name: str) -> Halves:
        start = prefix_of(name)
        for prefix in dict.fromkeys((start, name + "_")):
            halves = Halves(
                f"{prefix}params", f"{prefix}opt_state" if prefix == start else f"{prefix}state"
            )
            if self._free(scope, name, halves.params) and self._free(scope, name, halves.state):
                return halves
        raise NotExplicit(scope_id(scope), f"no free names for the params and state of `{name}`")

    def _free(self, scope: Scope, name: str, wanted: str) -> bool:
        taken = any(
            other != name and wanted in (h.params, h.state)
            for (id_, other), h in self._chosen.items()
            if id_ == scope_id(scope)
        )
        return (
            not taken
            and not is_bound_by(self.others, self.module, scope, wanted)
            and not any(self._clashes(scope, name, wanted))
            and not self._hidden(scope, name, wanted)
        )

    def _clashes(self, scope: Scope, name: str, wanted: str) -> Iterable[bool]:
        """Uses of `wanted` that would mean something else, once `scope` binds it."""
        last = self.made_from.get((scope_id(scope), name), {}).get(wanted)
        for found, id_, owner, above in self._every_name():
            if found != wanted or not (owner is scope or _passes_through(owner, scope, above)):
                continue
            if owner is scope and last is not None and id_ <= last:
                if not _is_later(scope, above):
                    continue
            yield True
        if isinstance(scope, t.Function) and wanted in scope.locals and last is None:
            yield True

    def _hidden(self, scope: Scope, name: str, wanted: str) -> bool:
        """Whether a function inside binds `wanted` itself and reads the optimizer from outside."""
        for node, above in self.uses:
            if node.name == name and scope_of(name, above, self.module) is scope:
                inner = [f for f in functions_above(above) if f is not scope]
                if isinstance(scope, t.Function):
                    inner = (
                        inner[: inner.index(scope)]
                        if scope in inner
                        else [f for f in inner if f is not scope]
                    )
                    inner = [f for f in inner if _inside(f, scope)]
                if any(wanted in f.locals for f in inner):
                    return True
        return False

    def _every_name(self) -> list[tuple[str, NodeId, Scope, tuple[Node, ...]]]:
        if self._names is None:
            self._names = [
                (node.name, node.id, scope_of(node.name, above, self.module), above)
                for node, above in everything(self.module)
                if isinstance(node, t.Name)
            ]
        return self._names


def prefix_of(name: str) -> str:
    """`actor_` for `actor_optimizer`, nothing for `optimizer`."""
    word = _OPTIMIZER_WORD.sub("", name).strip("_")
    return re.sub("__+", "_", word) + "_" if word else ""


def is_bound_by(
    others: Iterable[tuple[NodeId, str]], module: t.Module, scope: Scope, wanted: str
) -> bool:
    """Whether another flow binds a name in this scope, around it or inside of it."""
    around = _ids_around(scope, module)
    scopes = {function.id: function for function in module.functions}
    return any(
        name == wanted
        and (
            id_ in around or (id_ in scopes and scope_id(scope) in _ids_around(scopes[id_], module))
        )
        for id_, name in others
    )


def _ids_around(scope: Scope, module: t.Module) -> set[NodeId]:
    found = {module.base}
    while isinstance(scope, t.Function):
        found.add(scope.id)
        if scope.parent is None:
            break
        scope = scope.parent
    return found


def _is_later(scope: Scope, above: Sequence[Node]) -> bool:
    """Whether a name is read when a function or a generator inside of its scope runs, whenever that is."""
    inner = functions_above(above)[:1]
    lazy = any(isinstance(n, t.Comprehension) and n.kind == "generator" for n in above)
    return lazy or (bool(inner) and inner[0] is not scope)


def _inside(function: t.Function, scope: t.Function) -> bool:
    parent = function.parent
    while parent is not None and parent is not scope:
        parent = parent.parent
    return parent is scope


def _passes_through(owner: Scope, scope: Scope, above: tuple[Node, ...]) -> bool:
    """Whether a name that belongs further out is read below `scope`, which would now catch it."""
    return (
        isinstance(scope, t.Function)
        and scope in functions_above(above)
        and not (isinstance(owner, t.Function) and (owner is scope or _inside(owner, scope)))
    )


def scope_id(scope: Scope) -> NodeId:
    """The id of a function, or the base of a module."""
    return scope.id if isinstance(scope, t.Function) else scope.base
