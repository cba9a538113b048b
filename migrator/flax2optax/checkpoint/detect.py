"""Where in a checkpoint the optimizers of flax.optim are, and of which kind they can be.

In: a `Tree`. Out: one `OldOptimizer` for each. Never: a guess that is not said aloud.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from flax2optax_rules import RULES, OptimizerRule

from .tree import Array, CheckpointError, Path, Tree, at, children, leaves, spell

Fields = frozenset[str]
STATE: Fields = frozenset({"step", "param_states"})
NEWER: Fields = frozenset({"params", "opt_state"})
WEIGHT_NORM = "WeightNorm"
STEP_TYPES = ("int32", "int64", "uint32")
MOST_REPLICAS = 1 << 20


@dataclass(frozen=True, slots=True)
class Element:
    """The state of a parameter without a name: where it is in the optimizer, and its leaves by field."""

    path: Path
    leaves: Mapping[Path, Tree]


@dataclass(frozen=True, slots=True)
class OldOptimizer:
    """One `flax.optim.Optimizer`: its parameters, its step, and the state of each parameter.

    `states` holds the leaves by the path of the parameter and the field in its state, where the file tells the parameter;
    `groups` holds them in order for each optimizer of a MultiOptimizer of flax 0.3.2 or older, where it does not;
    `origins` says where in the optimizer the state of a parameter was, once it is known.
    """

    path: Path
    target: Tree
    step: Tree
    states: Mapping[tuple[Path, Path], Tree] = field(default_factory=dict)
    groups: tuple[tuple[Element, ...], ...] = ()
    origins: Mapping[Path, Path] = field(default_factory=dict)

    @property
    def lead(self) -> tuple[int, ...]:
        """Return the axes that every leaf has in front: those of replicas."""
        return self.step.shape if isinstance(self.step, Array) else ()

    @property
    def params(self) -> dict[Path, Tree]:
        """Return the parameters by path."""
        return {path: leaf for path, leaf in leaves(self.target) if leaf is not None}

    def fields(self) -> list[Fields]:
        """Return the different sets of fields that parameters have, without those that have none."""
        found: dict[Fields, None] = {}
        for state in self._by_param():
            found.setdefault(frozenset("".join(path[:1]) for path in state))
        return [fields for fields in found if fields]

    def origin(self, param: Path, name: Path) -> Path:
        """Return where in the file a leaf of the state of a parameter was."""
        return (*self.path, *self.origins.get(param, ("state", "param_states", *param)), *name)

    def kinds(self) -> list[str]:
        """Return what the optimizer can be, in words: one line for each set of fields."""
        if self.is_weight_norm:
            return [WEIGHT_NORM]
        names = [" or ".join(kinds_of(fields)) or _own(fields) for fields in self.fields()]
        return names or ["GradientDescent"]

    @property
    def is_weight_norm(self) -> bool:
        """Whether the state of each parameter is one of direction and length."""
        return any("direction_state" in fields for fields in self.fields())

    def _by_param(self) -> list[Mapping[Path, Tree]]:
        if self.groups:
            return [one.leaves for group in self.groups for one in group]
        found: dict[Path, dict[Path, Tree]] = {}
        for (param, name), leaf in self.states.items():
            found.setdefault(param, {})[name] = leaf
        return list(found.values())


def find_optimizers(tree: Tree) -> list[OldOptimizer]:
    """Return every optimizer of a checkpoint. Raises CheckpointError if there is none."""
    found = list(_found(tree, ()))
    if found:
        return found
    newer = next(_newer(tree, ()), None)
    if newer is not None:
        raise CheckpointError(
            f"there is nothing to convert: {spell(newer)} holds `params` and `opt_state`, not an optimizer of flax.optim"
        )
    names = ", ".join(name[:40] for name, _ in list(children(tree))[:10]) or "nothing"
    raise CheckpointError(
        f"there is no optimizer of flax.optim in it; at the root there is {names}"
    )


@cache
def kinds_of(fields: Fields) -> list[str]:
    """Return the classes of flax.optim whose parameters have a state of these fields."""
    return [name for name, rule in RULES.items() if name != WEIGHT_NORM and _fits(rule, fields)]


def _fits(rule: OptimizerRule, fields: Fields) -> bool:
    maps = [frozenset(one.state) - {"step"} for one in rule.variants if one.write]
    every: Fields = frozenset().union(*maps)
    return fields <= every and any(one <= fields for one in maps if one)


def _own(fields: Fields) -> str:
    names = ", ".join(name or "one array" for name in sorted(fields))
    return f"an OptimizerDef of the program ({names})"


def _found(tree: Tree, path: Path) -> Iterator[OldOptimizer]:
    if isinstance(tree, dict) and tree.keys() == {"target", "state"}:
        made = _optimizer(path, tree["target"], tree["state"])
        if made is not None:
            yield made
            return
    for name, child in children(tree):
        yield from _found(child, (*path, name))


def _newer(tree: Tree, path: Path) -> Iterator[Path]:
    if isinstance(tree, dict) and tree.keys() >= NEWER:
        yield path
    for name, child in children(tree):
        yield from _newer(child, (*path, name))


def _optimizer(path: Path, target: Tree, state: Tree) -> OldOptimizer | None:
    if not isinstance(state, dict):
        return None
    if state.keys() == STATE:
        states = _states(path, target, state["param_states"])
        return OldOptimizer(path, target, _step(path, [state["step"]]), states)
    groups = [state.get(str(number)) for number in range(len(state))]
    if not groups or not all(isinstance(one, dict) and one.keys() == STATE for one in groups):
        return None
    kept = [one for one in groups if isinstance(one, dict)]
    step = _step(path, [one["step"] for one in kept])
    found = tuple(
        tuple(_elements(one["param_states"], ("state", str(number), "param_states")))
        for number, one in enumerate(kept)
    )
    return OldOptimizer(path, target, step, groups=found)


def _step(path: Path, steps: Sequence[Tree]) -> Tree:
    """The number of updates so far; the optimizers of a MultiOptimizer are all at the same one."""
    values = [step.tobytes() if isinstance(step, Array) else step for step in steps]
    if any(value != values[0] for value in values):
        raise CheckpointError(f"the groups of {spell(path)} are not at the same step")
    (step,) = steps[:1]
    if isinstance(step, Array) and step.dtype in STEP_TYPES and 0 < step.size <= MOST_REPLICAS:
        every = step.to_numpy()
        if every.min() >= 0 and every.max() < 1 << 31:
            return step
    if type(step) is int and 0 <= step < 1 << 31:
        return step
    raise CheckpointError(f"the step of {spell(path)} is not a number of steps")


def _states(path: Path, target: Tree, states: Tree) -> dict[tuple[Path, Path], Tree]:
    found: dict[tuple[Path, Path], Tree] = {}
    for param, leaf in leaves(target):
        if leaf is None:
            continue
        try:
            state = at(states, param)
        except KeyError:
            raise CheckpointError(
                f"{spell((*path, 'state', 'param_states', *param))} is missing: the parameter has no state"
            ) from None
        found |= {(param, name): value for name, value in leaves(state) if value is not None}
    _refuse_states_of_nothing((*path, "state", "param_states"), states, found)
    return found


def _refuse_states_of_nothing(
    path: Path, states: Tree, found: Mapping[tuple[Path, Path], Tree]
) -> None:
    known = {(*param, *name) for param, name in found}
    for name, leaf in leaves(states):
        if leaf is not None and name not in known:
            raise CheckpointError(f"{spell((*path, *name))}: there is no parameter that it is of")


def _elements(states: Tree, path: Path) -> Iterator[Element]:
    """The states of a group in their order; a list within the parameters is one element of several."""
    below = dict(children(states))
    if below and all(name.isdigit() for name in below):
        for name in sorted(below, key=int):
            yield from _elements(below[name], (*path, name))
    elif isinstance(states, dict):
        yield Element(path, {name: leaf for name, leaf in leaves(states) if leaf is not None})
