"""How a file spells optax, jax and TrainState, which imports that takes, and names that are still free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import walk

_FORMER = {
    "flax.training.dynamic_scale": ("flax.optim.dynamic_scale",),
    "flax.traverse_util.ModelParamTraversal": ("flax.optim.ModelParamTraversal",),
    **{
        f"flax.training.dynamic_scale.{name}": (
            f"flax.optim.{name}",
            f"flax.optim.dynamic_scale.{name}",
        )
        for name in ("DynamicScale", "DynamicScaleResult")
    },
}


@dataclass(frozen=True, slots=True)
class Spelling:
    """An expression for a library object, and the import line it needs ('' where the file has it)."""

    text: str
    line: str = ""


def module_spelling(module: t.Module, dotted: str) -> Spelling:
    """How the file calls the library module `dotted` ('optax', 'jax', 'jax.numpy', 'flax.traverse_util')."""
    existing = _imported(module, dotted)
    if existing is not None:
        return Spelling(existing)
    former = _former(module, dotted)
    if former is not None:
        return former
    short = {"jax.numpy": "jnp"}.get(dotted, dotted.rsplit(".", 1)[-1])
    name = short if short not in module.bound else f"{dotted.replace('.', '_')}_lib"
    if "." not in dotted:
        return Spelling(name, f"import {dotted}" + (f" as {name}" if name != dotted else ""))
    package, last = dotted.rsplit(".", 1)
    if dotted == "jax.numpy":
        return Spelling(name, f"import jax.numpy as {name}")
    return Spelling(name, f"from {package} import {last}" + (f" as {name}" if name != last else ""))


def object_spelling(module: t.Module, dotted: str) -> Spelling:
    """How the file calls the object `dotted` of a library module, e.g. 'flax.training.train_state.TrainState'."""
    package, last = dotted.rsplit(".", 1)
    existing = _imported(module, dotted)
    if existing is not None:
        return Spelling(existing)
    former = _former(module, dotted)
    if former is not None:
        return former
    holder = module_spelling(module, package)
    made_up = holder.text.endswith("_lib") and _former(module, package) is None
    if made_up and last not in module.bound:
        return Spelling(last, f"from {package} import {last}")
    return Spelling(f"{holder.text}.{last}", holder.line)


def _former(module: t.Module, dotted: str) -> Spelling | None:
    """What moved out of flax.optim keeps the name that the file's import of flax.optim gives it."""
    name = next((n for old in _FORMER.get(dotted, ()) if (n := _imported(module, old))), None)
    if name is None or "." in name or any(name in f.locals for f in module.functions):
        return None
    package, last = dotted.rsplit(".", 1)
    return Spelling(name, f"from {package} import {last}" + (f" as {name}" if name != last else ""))


def _imported(module: t.Module, dotted: str) -> str | None:
    """An expression for `dotted` by the file's own top-level imports."""
    for statement in module.body:
        if not isinstance(statement, t.Import) or statement.level:
            continue
        for alias in statement.aliases:
            full = statement.full(alias)
            name = alias.asname or alias.name
            if full == dotted and (statement.is_from or alias.asname or full == name):
                return name
    return None


def names_in(nodes: Iterable[t.Statement | t.Function | t.Expression]) -> set[str]:
    """Every name read or bound below some nodes."""
    found: set[str] = set()
    for node, _ in walk(tuple(nodes)):
        if isinstance(node, t.Name):
            found.add(node.name)
        elif isinstance(node, t.Function):
            found.update(node.locals, node.outer, (node.name,))
        elif isinstance(node, t.Class):
            found.add(node.name)
        elif isinstance(node, t.Import):
            found.update(a.bound for a in node.aliases)
    return found


def fresh(wanted: str, taken: set[str]) -> str:
    """`wanted`, or `wanted` with the first free suffix."""
    if wanted not in taken:
        return wanted
    name = f"new_{wanted}"
    number = 2
    while name in taken:
        name = f"{wanted}_{number}"
        number += 1
    return name
