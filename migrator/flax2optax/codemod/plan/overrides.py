"""One step of an optimizer, taken apart: its gradients, and the hyperparameters it overrides, however it writes them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import walk


@dataclass(frozen=True, slots=True)
class Overrides:
    """Values by name, or one learning rate per group; `sources` must be the optimizer's own hyperparameters.

    `unpacked` are the groups' hyperparameters by names of their own, in order: each must be the item at its place.
    """

    named: dict[str, t.Expression] = field(default_factory=dict)
    groups: tuple[t.Expression, ...] = ()
    sources: tuple[t.Expression, ...] = ()
    unpacked: tuple[t.Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A call of `apply_gradient` or `optimize`, taken apart. `problem` is (code, message) where it cannot be."""

    call: t.Call
    optimizer: t.Expression
    gradients: t.Argument | None
    overrides: Overrides
    problem: tuple[str, str] | None = None

    @property
    def rate(self) -> t.Expression | None:
        """The learning rate the step gives."""
        return self.overrides.named.get("learning_rate")

    @property
    def others(self) -> tuple[str, ...]:
        """What it overrides besides the one learning rate."""
        groups = ("hyper_params",) if self.overrides.groups else ()
        return (*(name for name in self.overrides.named if name != "learning_rate"), *groups)


_COMPUTED = ("FXO502", "the hyperparameters of this step are computed")


def take_apart(node: t.Call) -> Step:
    """Read the arguments of `apply_gradient(grads, learning_rate=…)` or `optimize(loss_fn, …)`."""
    assert isinstance(node.func, t.Attribute)
    gradients: t.Argument | None = None
    overrides = Overrides()
    problem: tuple[str, str] | None = None
    for argument in node.args:
        if argument.star:
            problem = ("FXO502", f"the overrides are computed (`{argument.star}…`)")
        elif argument.keyword in (None, "grads", "loss_fn"):
            gradients = argument
        elif argument.keyword == "hyper_params":
            found = _hyper_params(argument.value)
            if found is None:
                problem = _COMPUTED
            else:
                overrides = replace(found, named={**found.named, **overrides.named})
        else:
            overrides.named[argument.keyword] = argument.value
    if overrides.groups and overrides.named:
        problem = _COMPUTED
    return Step(node, node.func.value, gradients, overrides, problem)


def _hyper_params(value: t.Expression) -> Overrides | None:
    """What `hyper_params=…` changes."""
    if isinstance(value, t.Call):
        return _replaced(value)
    if isinstance(value, t.Comprehension):
        return _same_for_all(value)
    if isinstance(value, t.Sequence) and value.kind in ("list", "tuple"):
        return _one_by_one(value)
    return None


def _replaced(value: t.Expression) -> Overrides | None:
    """`hyper_params.replace(name=value)`."""
    func = value.func if isinstance(value, t.Call) else None
    if not isinstance(value, t.Call) or not isinstance(func, t.Attribute) or func.attr != "replace":
        return None
    if not value.args or any(a.star or a.keyword is None for a in value.args):
        return None
    named = {a.keyword: a.value for a in value.args if a.keyword is not None}
    return Overrides(named, (), (func.value,))


def _same_for_all(value: t.Comprehension) -> Overrides | None:
    """`[h.replace(learning_rate=lr) for h in hyper_params]`."""
    if value.kind != "list" or len(value.generators) != 1:
        return None
    (generator,) = value.generators
    replaced = _replaced(value.elements[0])
    if replaced is None or generator.conditions or not isinstance(generator.target, t.Name):
        return None
    one = generator.target.name
    (source,) = replaced.sources
    mentioned = [n for e in replaced.named.values() for n, _ in walk((e,)) if isinstance(n, t.Name)]
    if (
        not isinstance(source, t.Name)
        or source.name != one
        or any(n.name == one for n in mentioned)
    ):
        return None
    return Overrides(replaced.named, (), (generator.iterable,))


def _one_by_one(value: t.Sequence) -> Overrides | None:
    """`[hyper_params[0].replace(learning_rate=a), …]`, or `[first.replace(learning_rate=a), …]` of names unpacked before."""
    each = [_replaced(element) for element in value.elements]
    found = [one for one in each if one is not None and one.named.keys() == {"learning_rate"}]
    if not found or len(found) < len(value.elements):
        return None
    rates = tuple(one.named["learning_rate"] for one in found)
    sources = [one.sources[0] for one in found]
    names = tuple(source for source in sources if isinstance(source, t.Name))
    if len(names) == len(sources):
        return Overrides({}, rates, names, names)
    lists = [_list_of(source, index) for index, source in enumerate(sources)]
    known = tuple(one for one in lists if one is not None)
    return Overrides({}, rates, known) if len(known) == len(lists) else None


def _list_of(source: t.Expression, index: int) -> t.Expression | None:
    """What `source` is the item at `index` of."""
    if not isinstance(source, t.Subscript) or source.sliced or len(source.indices) != 1:
        return None
    (position,) = source.indices
    return source.value if isinstance(position, t.Constant) and position.value == index else None
