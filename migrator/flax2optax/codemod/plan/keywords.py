"""`**kwargs` of a constructor: which keywords it brings, where every dict it may be can be seen."""

from __future__ import annotations

from collections.abc import Iterator

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer.values import Container
from flax2optax.codemod.plan.constructors import CannotBuild, hole
from flax2optax.codemod.plan.draft import Draft, simple
from flax2optax_rules import RULES, defaults

_READS = frozenset({"get", "items", "keys", "values", "update", "setdefault"})


def resolve(draft: Draft, node: t.Call, name: str, *, rated: bool) -> dict[NodeId, dict[str, str]]:
    """The keywords of each `**` argument of a call, with their source; raises `CannotBuild`."""
    found = {a.value.id: _keywords(draft, a.value, name) for a in node.args if a.star == "**"}
    for site, keywords in found.items():
        if rated and keywords.get("learning_rate") == "None":
            raise CannotBuild("FXO202", f"{name} may be without its learning_rate")
        if keywords.get("learning_rate") == "None":
            found[site] = {key: text for key, text in keywords.items() if key != "learning_rate"}
    return found


def _keywords(draft: Draft, value: t.Expression, name: str) -> dict[str, str]:
    written = _display(value)
    if written is not None:
        return {key: "None" if _is_none(item) else hole(item) for key, item in written.items()}
    sites = {
        a.site for a in draft.facts.value(value.id) if isinstance(a, Container) and a.kind == "dict"
    }
    if not simple(value) or len(sites) != len(draft.facts.value(value.id)) or not sites:
        raise CannotBuild("FXO202", f"the arguments of {name} are computed (`**…`)")
    displays = _displays(draft, sites, name)
    every = set.intersection(*(set(found) for found in displays))
    possible = {key for site in sites for key in draft.facts.machine.fields(site)}
    known = defaults(RULES[name])
    result = {}
    for key in sorted(map(str, possible), key=[*displays[0], *sorted(map(str, possible))].index):
        if key == "*":
            raise CannotBuild("FXO202", f"the arguments of {name} have computed names")
        always = key in every and not any(_is_none(found[key]) for found in displays)
        if not always and known.get(key, "None") == "None":
            if key != "learning_rate":
                raise CannotBuild("FXO202", f"{name} may be without its {key}")
            result[key] = "None"
            continue
        result[key] = (
            f"{hole(value)}['{key}']"
            if key in every
            else f"{hole(value)}.get('{key}', {known[key]})"
        )
    return result


def _is_none(node: t.Expression) -> bool:
    return isinstance(node, t.Constant) and node.value is None


def _display(node: t.Expression) -> dict[str, t.Expression] | None:
    """The items of `{'a': 1}` or `dict(a=1)`."""
    if isinstance(node, t.Dict):
        keys = [
            key.value
            for key, _ in node.items
            if isinstance(key, t.Constant) and isinstance(key.value, str)
        ]
        named = len(keys) == len(node.items)
        return (
            {str(k): value for k, (_, value) in zip(keys, node.items, strict=True)}
            if named
            else None
        )
    if isinstance(node, t.Call) and isinstance(node.func, t.Name) and node.func.name == "dict":
        if any(a.keyword is None for a in node.args):
            return None
        return {a.keyword: a.value for a in node.args if a.keyword is not None}
    return None


def _displays(draft: Draft, sites: set[NodeId], name: str) -> list[dict[str, t.Expression]]:
    """The displays of the dicts made at `sites`, none of which may lose a key again."""
    found: dict[NodeId, dict[str, t.Expression]] = {}
    for node, above in _holding(draft, sites):
        if node.id in sites:
            written = _display(node)
            if written is not None:
                found[node.id] = written
        if not _keeps_keys(draft, node, above):
            raise CannotBuild("FXO202", f"the arguments of {name} go where they may change")
    if set(found) != sites:
        raise CannotBuild("FXO202", f"the arguments of {name} are computed (`**…`)")
    return list(found.values())


def _holding(draft: Draft, sites: set[NodeId]) -> Iterator[tuple[t.Expression, tuple[Node, ...]]]:
    for module in draft.facts.program.modules.values():
        for node, above in everything(module):
            if isinstance(node, t.Expression):
                if any(
                    isinstance(a, Container) and a.site in sites for a in draft.facts.value(node.id)
                ):
                    yield node, above


def _keeps_keys(draft: Draft, node: t.Expression, above: tuple[Node, ...]) -> bool:
    over, outer = above[-1], above[-2] if len(above) > 1 else None
    match over:
        case t.Argument():
            return over.star == "**" or bool(draft.facts.machine.bindings.get(node.id))
        case t.Attribute():
            return over.attr in _READS and isinstance(outer, t.Call) and outer.func is over
        case t.Subscript():
            return over.value is node and not isinstance(outer, t.Delete)
        case t.Operation():
            return over.operator in ("in", "not in")
    return isinstance(over, t.Assign | t.AnnAssign | t.Return | t.Conditional | t.Evaluate)
