"""Functions an optimizer passes through in the explicit form: parameters, callers, and JAX's argument numbers."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything, walk
from flax2optax.codemod.infer.tables import PARTIALS, WRAPPERS
from flax2optax.codemod.infer.values import (
    Atom,
    Bound,
    External,
    Free,
    Gradient,
    Optimizer,
    Partial,
    Transformed,
    Unknown,
    leaves,
)
from flax2optax.codemod.plan.edits import Edit, Replace
from flax2optax.codemod.plan.explicit_flow import Explicit
from flax2optax.codemod.plan.explicit_names import NotExplicit
from flax2optax.codemod.plan.occurrences import parent

KNOWN_WRAPPERS = WRAPPERS | PARTIALS
# Whose arguments are those of the function, but for the numbers and names that are handled below.
KEEPING = frozenset({
    "jit", "pmap", "vmap", "pjit", "checkpoint", "remat", "named_call", "named_scope", "checkify", "lru_cache",
    "cache", "annotate_function", "assert_max_traces",
})  # fmt: skip
NAMES = frozenset({"donate_argnames", "static_argnames"})
NUMBERS = frozenset({"donate_argnums", "static_argnums"})
AXES = frozenset({
    "in_axes", "out_axes", "in_specs", "out_specs", "in_shardings", "out_shardings",
    "in_axis_resources", "out_axis_resources", "batch_argnums",
})  # fmt: skip


def check_functions(self: Explicit) -> list[Edit]:
    """Edits of parameters and argument numbers of every function that takes an optimizer of the flow."""
    machine = self.draft.facts.machine
    taking: dict[NodeId, set[str]] = {}
    for frame in machine.frames:
        for name, value in frame.parameters.items():
            if frame.function is not None and self.holds_inside(value):
                if not self.holds(value):
                    raise NotExplicit(
                        frame.function.id, f"`{name}` is a tuple with an optimizer in it"
                    )
                taking.setdefault(frame.function.id, set()).add(name)
    for frame in machine.frames:
        function = frame.function
        if function is None or not self.holds_inside(frame.returned):
            continue
        if function.id in machine.imagined:
            raise NotExplicit(
                function.id, f"`{function.name}` returns it, and nobody in the program calls that"
            )
        taking.setdefault(function.id, set())  # axes of what it returns would shift
    edits: list[Edit] = []
    for function_id, names in taking.items():
        edits.extend(_parameters(self, machine.functions[function_id], names))
    edits.extend(_passed_on(self, taking))
    return edits


def _parameters(self: Explicit, function: t.Function, names: set[str]) -> list[Edit]:
    machine = self.draft.facts.machine
    if function.id in machine.imagined:
        raise NotExplicit(
            function.id, f"`{function.name}` is also called from outside of the program"
        )
    if function.owner is not None or function.generator:
        raise NotExplicit(function.id, f"`{function.name}` is a method or a generator")
    edits: list[Edit] = []
    for parameter in function.parameters:
        if parameter.name in names:
            if parameter.default is not None or parameter.kind in ("star", "double_star"):
                raise NotExplicit(parameter.id, f"`{parameter.name}` has a default or is variadic")
            halves = self.namer(function.module).halves(function, parameter.name)
            edits.append(Replace(parameter.id, (f"{halves.params}, {halves.state}",)))
    return edits


def _passed_on(self: Explicit, taking: dict[NodeId, set[str]]) -> list[Edit]:
    """Places where such a function is wrapped, bound or handed to somebody."""
    edits: list[Edit] = []
    seen: set[NodeId] = set()
    for function, names in taking.items():
        for node, above, atom in self.passages.functions.get(function, ()):
            if names and (isinstance(atom, Gradient | Bound) or _has_positional(atom)):
                raise NotExplicit(node.id, "argument numbers of a gradient or partial would shift")
            if isinstance(atom, Transformed) and atom.kind not in KEEPING:
                raise NotExplicit(node.id, f"`{atom.kind}` may take its arguments by position")
            if isinstance(atom, Transformed) and atom.site not in seen:
                seen.add(atom.site)
                edits.extend(_numbers(self, atom.site, function, names))
            if names:
                _check_place(self, node, above)
        for node, above in self.passages.tuples.get(function, ()) if names else ():
            _check_tuple(node, above)
        for decorator in self.draft.facts.machine.functions[function].decorators:
            if not all(map(_keeps, self.draft.facts.value(decorator.id))):
                raise NotExplicit(decorator.id, "a decorator may take its arguments by position")
            if decorator.id not in seen:
                seen.add(decorator.id)
                edits.extend(_numbers_of(self, decorator, function, names))
    return edits


def _has_positional(atom: Atom) -> bool:
    while isinstance(atom, Transformed | Partial):
        if isinstance(atom, Partial) and atom.args:
            return True
        atom = atom.function
    return False


def _check_place(self: Explicit, node: t.Expression, above: tuple[Node, ...]) -> None:
    """The function may be called, named, or given to a transformation; nothing else."""
    over = above[-1] if above else None
    if isinstance(over, t.Argument):
        call = above[-2]
        callee = self.draft.facts.value(call.func.id) if isinstance(call, t.Call) else frozenset()
        for atom in callee:
            while isinstance(atom, Partial):
                atom = atom.function
            if not (isinstance(atom, External) and atom.name in KNOWN_WRAPPERS):
                raise NotExplicit(node.id, "a function that takes it is handed to another")
    elif isinstance(over, t.Call):
        if any(argument.star and _may_be_it(self, argument) for argument in over.args):
            raise NotExplicit(node.id, "a call that takes it has computed arguments")
    elif not isinstance(over, t.Assign | t.Function | t.Evaluate | t.Return):
        if not (
            isinstance(over, t.Sequence) and isinstance(parent(above[:-1]), t.Assign | t.Return)
        ):
            raise NotExplicit(node.id, "a function that takes it is kept somewhere")


def _may_be_it(self: Explicit, argument: t.Argument) -> bool:
    """Whether a starred argument may give an optimizer; what is kept in containers was refused before."""
    given = self.draft.facts.value(argument.value.id)
    return not given or any(isinstance(a, Optimizer | Unknown | Free) for a in leaves(given))


def _check_tuple(node: t.Expression, above: tuple[Node, ...]) -> None:
    """A tuple with the function in it may be returned, and must be unpacked where it arrives."""
    over = parent(above)
    display = isinstance(node, t.Sequence) and node.kind == "tuple"
    unpacked = isinstance(over, t.Assign) and all(isinstance(x, t.Sequence) for x in over.targets)
    fine = (
        isinstance(over, t.Return)
        or unpacked
        or (isinstance(over, t.Assign) and node in over.targets)
    )
    if not fine or not (display or isinstance(node, t.Call)):
        raise NotExplicit(node.id, "a function that takes it is kept in a tuple")


def _numbers(self: Explicit, site: NodeId, function: NodeId, names: set[str]) -> list[Edit]:
    for node, _ in everything(self.module(site)):
        if isinstance(node, t.Expression) and node.id == site:
            return _numbers_of(self, node, function, names)
    return []


def _numbers_of(
    self: Explicit, node: t.Expression, function: NodeId, names: set[str]
) -> list[Edit]:
    if not isinstance(node, t.Call):
        return []
    order = [p.name for p in self.draft.facts.machine.functions[function].parameters]
    taken = sorted(order.index(name) for name in names)
    edits: list[Edit] = []
    if sum(argument.keyword is None for argument in node.args) > 1 + _named_axis(node):
        raise NotExplicit(node.id, "axes or argument numbers are given by position")
    for argument in node.args:
        if argument.keyword in AXES:
            raise NotExplicit(argument.id, f"`{argument.keyword}` is given")
        if argument.keyword in NAMES and _may_name(argument.value, names):
            raise NotExplicit(argument.id, f"`{argument.keyword}` names it")
        if not names:
            continue
        if argument.keyword in NUMBERS:
            edits.append(Replace(argument.value.id, (_shifted(argument.value, taken),)))
        elif argument.star or argument.keyword == "argnums":
            raise NotExplicit(argument.id, "its argument numbers are computed")
    return edits


def _keeps(atom: Atom) -> bool:
    """Whether a decorator leaves a function's arguments where they are."""
    while isinstance(atom, Partial) and not atom.args:
        atom = atom.function
    if isinstance(atom, External):
        return atom.name.rsplit(".", 1)[-1] in KEEPING
    return isinstance(atom, Transformed) and atom.kind in KEEPING


def _named_axis(node: t.Call) -> bool:
    """`pmap(f, 'batch')`."""
    second = node.args[1].value if len(node.args) > 1 else None
    return isinstance(second, t.Constant) and isinstance(second.value, str)


def _may_name(node: t.Expression, names: set[str]) -> bool:
    """Whether an expression has one of these strings, or anything that is not written out."""
    return any(
        inner.value in names if isinstance(inner, t.Constant) else not isinstance(inner, t.Sequence)
        for inner, _ in walk((node,))
    )


def _shifted(value: t.Expression, taken: list[int]) -> str:
    """Argument numbers after each one of `taken` became two."""
    elements = value.elements if isinstance(value, t.Sequence) else (value,)
    numbers: list[int] = []
    for element in elements:
        if not isinstance(element, t.Constant) or not isinstance(element.value, int):
            raise NotExplicit(value.id, "its argument numbers are computed")
        number = element.value
        moved = number + sum(1 for index in taken if index < number)
        numbers.extend((moved, moved + 1) if number in taken else (moved,))
    text = ", ".join(map(str, numbers))
    if not isinstance(value, t.Sequence):
        return text if len(numbers) == 1 else f"({text})"
    if value.kind == "tuple":  # its parentheses stand outside of what is replaced
        return text if len(numbers) > 1 else f"{text},"
    return f"[{text}]"
