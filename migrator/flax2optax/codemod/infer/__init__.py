"""ProgramIndex → OptimizerFacts: which expression may hold which optimizer value, by abstract interpretation.

Functions have summaries, one per kind of arguments; local names are flow-sensitive; fields and globals are not.
Runs to a fixed point over the whole program. Never edits, never imports jax.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.program import Program
from flax2optax.codemod.index.tree import Function, NodeId
from flax2optax.codemod.index.walk import attributes_read, everything
from flax2optax.codemod.infer.absent_records import escape_from_records
from flax2optax.codemod.infer.calls import Args, call_bound, call_function
from flax2optax.codemod.infer.carriers import Carriers
from flax2optax.codemod.infer.discovery import extend, needed
from flax2optax.codemod.infer.flows import Union, flows
from flax2optax.codemod.infer.interpret import run_frame
from flax2optax.codemod.infer.library import call_free
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.neighbours import nearest, readers
from flax2optax.codemod.infer.objects import (
    class_member,
    declared_fields,
    family,
    optimizer_base,
    subclasses,
)
from flax2optax.codemod.infer.values import (
    ClassRef,
    FunctionRef,
    Instance,
    Optimizer,
    OptimizerClass,
    TupleOf,
    Value,
    one,
)

MAX_PASSES = 6
OPTIMIZER_NAME = re.compile(r"(^|_)opt(im|imizer|imiser)?s?\d*($|_)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """What the analysis knows; `machine` has the values per expression, escapes, call targets and heap."""

    program: Program
    machine: Machine
    flows: Union

    def value(self, node: NodeId) -> Value:
        """What an expression may hold; the empty value where it was never reached."""
        return self.machine.values.get(node, frozenset())

    def classes(self, call: NodeId) -> tuple[OptimizerClass, ...]:
        """The classes of flax.optim that a call may be of; none where it makes no definition."""
        found = self.machine.definitions.get(call, frozenset())
        return tuple(atom for atom in found if isinstance(atom, OptimizerClass))


def infer(program: Program, paths: tuple[str, ...]) -> OptimizerFacts:
    """Analyse the files `paths` and everything they import."""
    believed: dict[tuple[NodeId, str], Value] = {}
    really: frozenset[NodeId] = frozenset()
    paths = (*paths, *readers(program, set(paths)))
    for _ in range(MAX_PASSES):
        m = _pass(program, paths, believed, really)
        opened, grown = _opened(m, paths)
        # What was called for real in one pass need not be imagined in the next.
        called = frozenset(m.really_called)
        imagined = (called - really) & m.imagined
        # A pass that knows nothing more about optimizers than this one did would find the same.
        if not grown and not _pass_optimizers(m, set(opened[len(paths) :]), imagined):
            break
        paths, really = opened, called
    return OptimizerFacts(program, m, flows(m))


def _opened(m: Machine, paths: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """These files and those that turn out to be needed, read into until none is left; and whether more is believed."""
    grown = False
    while (found := needed(m, set(paths))) or _believe(m):
        grown |= not found
        extend(m, found)
        _run(m)
        paths = (*paths, *found)
    return paths, grown


def _pass_optimizers(m: Machine, paths: set[str], functions: frozenset[NodeId]) -> bool:
    """Whether an optimizer comes through one of these files or functions."""
    carriers = Carriers(m)
    return any(
        any(map(carriers.hold, (frame.returned, *frame.variables.values())))
        for frame in m.frames
        if frame.module.path in paths
        or (frame.function is not None and frame.function.id in functions)
    )


def _pass(
    program: Program,
    paths: tuple[str, ...],
    believed: dict[tuple[NodeId, str], Value],
    really: frozenset[NodeId],
) -> Machine:
    """One analysis from scratch, with what earlier ones found out about parameters nobody passes."""
    m = Machine(program)
    m.believed = believed
    m.known_calls = really
    m.open.update(paths)
    m.run = lambda frame: run_frame(m, frame)
    m.call_bound = lambda frame, node, bound, *given: call_bound(m, frame, node, bound, *given)
    for path in paths:
        m.ensure(m.module_frame(path))
    _run(m)
    return m


def _run(m: Machine) -> None:
    m.settle()
    _call_the_uncalled(m)
    escape_from_records(m)


def _call_the_uncalled(m: Machine) -> None:
    """Run every function nobody calls with parameters nobody passes; those nobody mentions first."""
    while True:
        waiting = [f for f in m.functions.values() if f.id not in m.called]
        waiting = [f for f in waiting if f.id not in m.known_calls] or waiting
        ready = [(f, refs) for f in waiting if (refs := _references(m, f))]
        if not ready:
            if not any(f.id in m.known_calls for f in waiting) and m.known_calls:
                m.known_calls = frozenset()  # what is left is imagined after all
                continue
            return
        fewest = min(_mentions(m, f) for f, _ in ready)
        for function, refs in ready:
            if _mentions(m, function) == fewest and function.id not in m.called:
                m.known_calls -= {function.id}
                for ref in refs:
                    _call(m, function, ref)
                m.called.add(function.id)
        m.settle()


def _mentions(m: Machine, function: Function) -> int:
    if function.owner is not None:
        return 1 if function.name.startswith("_") and not function.name.startswith("__") else 0
    modules = m.program.modules.values()
    read = sum(module.names.get(function.name, 0) for module in modules)
    if function.parent is not None:
        return read
    others = (module for module in modules if module is not function.module)
    return read + sum(attributes_read(module).get(function.name, 0) for module in others)


def _references(m: Machine, function: Function) -> list[FunctionRef]:
    """The frames a function was defined in."""
    if function.parent is None:
        frame = m.by_key.get(("module", function.module.path))
        return [FunctionRef(function.id, frame.index)] if frame else []
    around = m.frames_of.get(function.parent.id, ())
    return [FunctionRef(function.id, frame.index) for frame in around]


def _call(m: Machine, function: Function, ref: FunctionRef) -> None:
    frame = m.frames[ref.frame]
    args = Args()
    decorated = " ".join(str(m.values.get(d.id)) for d in function.decorators)
    if function.owner is not None and "staticmethod" not in decorated:
        kind = ClassRef if "classmethod" in decorated else Instance
        owners = [function.owner.id, *subclasses(m, function.owner.id)]
        own = [
            c
            for c in owners
            if c == function.owner.id or function.name not in m.fields(("class", c))
        ]
        args = args.before(frozenset(kind(c) for c in own))
        if function.name == "tree_unflatten" and _unflatten(m, frame, ref, args):
            return
    call_free(m, frame, ref, args)


def _unflatten(m: Machine, frame: Frame, ref: FunctionRef, args: Args) -> bool:
    """JAX calls `tree_unflatten(cls, aux, children)` with what `tree_flatten` returned."""
    classes = [a for a in args.get(0) if isinstance(a, ClassRef)]
    flattened = [
        call_function(m, frame, 0, found, Args([(one(Instance(a.class_)), 0)]))
        for a in classes
        for found in class_member(m, frame, a.class_, "tree_flatten")
        if isinstance(found, FunctionRef)
    ]
    pairs = [a.items for v in flattened for a in v if isinstance(a, TupleOf) and len(a.items) == 2]
    for children, aux in pairs:
        call_function(m, frame, 0, ref, Args([(args.get(0), 0), (aux, 0), (children, 0)]))
    return bool(pairs)


def _believe(m: Machine) -> bool:
    """Take free parameters for optimizers, or for the record that holds one, by the way they are used."""
    if _defines_apply_gradient(m):
        return False
    new: dict[tuple[NodeId, str], Value] = {}
    for (function, path), uses in m.free_uses.items():
        if (function, path) not in m.believed:
            new[function, path] = _believed(m, path, uses, m.functions[function])
    for (class_id, name), reads in m.missing_fields.items():
        if (class_id, name) not in m.believed and _is_stepped(m, class_id, name, set(reads)):
            new[class_id, name] = one(Optimizer(min(reads)))
    found = {key: value for key, value in new.items() if value}
    for key, value in found.items():
        m.believe(*key, value)
    return bool(found)


def _is_stepped(m: Machine, class_id: NodeId, name: str, reads: set[NodeId]) -> bool:
    """Whether a field that nothing sets is called an optimizer and used as one: dead code, which goes with the rest."""
    if OPTIMIZER_NAME.search(name) is None or m.cells.get((family(m, class_id), name)):
        return False
    return any(
        isinstance(node, t.Attribute) and node.attr == "apply_gradient" and node.value.id in reads
        for module in {m.program.owner(read).path: m.program.owner(read) for read in reads}.values()
        for node, _ in everything(module)
    )


def _believed(m: Machine, path: str, uses: dict[str, NodeId], function: Function) -> Value:
    last = path.rsplit(".", 1)[-1]
    named = OPTIMIZER_NAME.search(last) is not None and not last.endswith("def")
    if "apply_gradient" in uses or (
        named and uses.keys() & {"target", "optimizer_def", "apply_gradient"}
    ):
        site = next(
            (p.id for p in function.parameters if p.name == path), next(iter(uses.values()))
        )
        return one(Optimizer(site))
    if not any(OPTIMIZER_NAME.search(name) for name in uses):
        return frozenset()
    # Which class it is does not depend on what is in its objects: once migrated, another one would be taken.
    records = [c for c in m.classes if c not in m.absent_classes and _has(m, c, set(uses))]
    families = {family(m, c): c for c in reversed(records)}
    near = nearest(m, function.module.path, families.values())
    return frozenset(Instance(c) for c in near if _holds(m, c, set(uses)))


def _has(m: Machine, class_id: NodeId, uses: set[str]) -> bool:
    """Whether a class has all these fields or methods."""
    known = _fields(m, class_id) | set(map(str, m.fields(("class", class_id))))
    return uses <= known | {"replace", "_replace"}


def _holds(m: Machine, class_id: NodeId, uses: set[str]) -> bool:
    """Whether an optimizer is among the fields of a class that are read."""
    stored = [m.cells.get((family(m, class_id), one)) for one in uses & _fields(m, class_id)]
    return any(isinstance(a, Optimizer) for value in stored for a in value or ())


def _fields(m: Machine, class_id: NodeId) -> set[str]:
    declared = {name for name, _ in declared_fields(m, class_id)}
    return declared | set(map(str, m.fields(family(m, class_id))))


def _defines_apply_gradient(m: Machine) -> bool:
    """Whether some class that is no optimizer of flax.optim's interface has a method of that name."""
    return any(
        f.name == "apply_gradient" and f.owner is not None and optimizer_base(m, f.owner.id) is None
        for f in m.functions.values()
    )
