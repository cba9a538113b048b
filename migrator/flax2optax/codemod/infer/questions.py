"""Attributes by their names, and what else a program may ask of an object."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args, escape, store_fields
from flax2optax.codemod.infer.containers import elements
from flax2optax.codemod.infer.machine import Escape, Frame, Machine
from flax2optax.codemod.infer.objects import (
    ancestors,
    attribute,
    bind_methods,
    carried,
    family,
    store_attribute,
)
from flax2optax.codemod.infer.stored import Restored
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    UNKNOWN,
    Array,
    Atom,
    ClassRef,
    Container,
    Definition,
    External,
    Instance,
    Literal,
    ModuleRef,
    Optimizer,
    OptimizerClass,
    Other,
    Part,
    Partial,
    Value,
    join,
    one,
)


def getattr_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """An attribute by its name; one of an optimizer itself has another name in Optax."""
    names = [a.value for a in args.get(1) if isinstance(a, Literal) and isinstance(a.value, str)]
    base = args.get(0)
    if any(isinstance(a, External) and a.name.startswith("flax.optim") for a in base):
        m.dynamic[node.id] = "getattr"
        return one(OptimizerClass("*", lookup=node.id))
    if lost := _own(base):
        return escape(m, reader, node, "getattr", Args([(lost, 0)]))
    if names and len(names) == len(args.get(1)):
        found = [attribute(m, reader, atom, name, node.id) for atom in base for name in names]
        return join(*found, *(v for v, _ in args.positional[2:]))
    return join(*(_any_attribute(m, reader, node, atom) for atom in base))


def _own(value: Value) -> Value:
    """What is flax's own in a value: its attributes are asked for by name, and Optax has others."""
    return frozenset(
        a
        for a in value
        if isinstance(a, Optimizer | Definition) or (isinstance(a, Part) and a.kind != "target")
    )


def _any_attribute(m: Machine, reader: Frame, node: t.Expression, atom: Atom) -> Value:
    """An attribute whose name is computed."""
    if isinstance(atom, Instance):
        members = [
            m.load_all(reader, ("class", class_id)) for class_id in ancestors(m, atom.class_)
        ]
        fields = m.load_all(reader, family(m, atom.class_))
        return join(OTHER, fields, bind_methods(m, join(*members), atom))
    if isinstance(atom, ModuleRef) and not atom.path.endswith("/"):
        frame = m.module_frame(atom.path)
        names = frame.module.bound
        return join(OTHER, *(m.read(reader, frame, name) for name in sorted(names)))
    return escape(m, reader, node, "getattr", Args([(one(atom), 0)]))


def hasattr_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """A question to an optimizer is answered otherwise by a TrainState, unless it is for a field that has a new name."""
    lost = _own(args.get(0))
    plain = all(type(a) in _NEVER_ASKED for a in args.get(0) - lost)
    fields = {a.value for a in args.get(1) if isinstance(a, Literal)}
    if lost and not (
        plain
        and fields <= FIELDS.keys()
        and len(fields) == len(args.get(1)) == 1
        and all(isinstance(a, Optimizer) for a in lost)
    ):
        return escape(m, reader, node, "hasattr", Args([(lost, 0)]))
    return OTHER


# The fields of an optimizer and of the TrainState that it becomes.
FIELDS = {"target": "params", "state": "opt_state", "optimizer_def": "tx"}
# What may stand beside an optimizer and has neither of its fields nor of a TrainState's.
_NEVER_ASKED = (Container, Literal, Other, Restored, Array)


def isinstance_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """A transformation of Optax is a named tuple, and an optimizer becomes a TrainState."""
    kinds = {
        a.name for a in (*args.get(1), *elements(m, reader, args.get(1))) if isinstance(a, External)
    }
    lost = frozenset(
        a
        for a in args.get(0)
        if (isinstance(a, Definition) and (kinds & _TUPLES or _is_own_class(m, a, args.get(1))))
        or (isinstance(a, Part) and a.kind == "state")
        or (isinstance(a, Optimizer) and any(kind.endswith("TrainState") for kind in kinds))
    )
    return escape(m, reader, node, "isinstance", Args([(lost, 0)])) if lost else OTHER


def _is_own_class(m: Machine, atom: Definition, kinds: Value) -> bool:
    """Whether a definition of the program's own class is asked for flax's base, which is no base of Optax's kind."""
    made = m.definitions.get(atom.site, NOTHING)
    own = any(isinstance(a, OptimizerClass) and a.class_ for a in made)
    return own and any(isinstance(a, OptimizerClass | ClassRef) for a in kinds)


_TUPLES = frozenset(
    {
        "builtins.tuple",
        "typing.Tuple",
        "typing.NamedTuple",
        "collections.abc.Sequence",
        "typing.Sequence",
    }
)


def text_of(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """The text of a definition may choose what the program does."""
    lost = frozenset(a for a in args.get(0) if isinstance(a, Definition))
    return escape(m, reader, node, "str", Args([(lost, 0)])) if lost else OTHER


def everything_here(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`globals()`, `locals()`, `eval`: every variable that can be seen."""
    frame: Frame | None = reader
    seen = NOTHING
    while frame is not None:
        names = list(frame.variables) if frame.function else sorted(frame.module.bound)
        seen = join(seen, *(m.read(reader, frame, name) for name in names))
        frame = frame.parent
    top = m.module_frame(reader.module.path)
    seen = join(seen, *(m.read(reader, top, name) for name in sorted(top.module.bound)))
    lost = frozenset(carried(m, reader, seen, instances=True))
    if lost:
        name = (
            node.func.name if isinstance(node, t.Call) and isinstance(node.func, t.Name) else "eval"
        )
        m.escapes[Escape(node.id, "call", name, lost)] = None
    return UNKNOWN if lost else OTHER


def import_module(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`importlib.import_module("name")`: a file of the program, if it is one."""
    found = NOTHING
    for atom in args.get(0, "name"):
        path = isinstance(atom, Literal) and m.program.absolute(reader.module.path, str(atom.value))
        if path and not path.endswith("/"):
            m.wanted.add(path)
            if m.opens(reader, path):
                m.ensure(m.module_frame(path))
            found = join(found, one(ModuleRef(path)))
    return found or OTHER


def attrgetter(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`operator.attrgetter("a.b")`: a function of an object."""
    return one(Partial(External(GETS), tuple(v for v, _ in args.positional), (), node.id))


def get_attributes(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """Call what `operator.attrgetter` made: dotted names, and the object."""
    *paths, (base, _) = args.positional or [(NOTHING, 0)]
    found = NOTHING
    for literal in join(*(path for path, _ in paths)):
        value = base
        for name in str(getattr(literal, "value", "")).split("."):
            if lost := _own(value):
                return escape(m, reader, node, "operator.attrgetter", Args([(lost, 0)]))
            value = join(*(attribute(m, reader, atom, name, node.id) for atom in value))
        found = join(found, value)
    return found


GETS = "operator.attrgetter()"


def type_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`type(record)`: the class, which may be called for another record."""
    if lost := _own(args.get(0)):
        return escape(m, reader, node, "type", Args([(lost, 0)]))
    classes = frozenset(ClassRef(a.class_) for a in args.get(0) if isinstance(a, Instance))
    return classes if len(args.positional) == 1 and classes else OTHER


def setattr_(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """An attribute that is set by its name."""
    for atom in args.get(1):
        if isinstance(atom, Literal) and isinstance(atom.value, str):
            store_attribute(m, reader, args.get(0), atom.value, args.get(2), node.id)
        elif lost := frozenset(carried(m, reader, args.get(2), instances=True)):
            m.escapes[Escape(node.id, "call", "setattr", lost)] = None
            return UNKNOWN
        else:
            return escape(m, reader, node, "setattr", args)
    return one(Literal(None))


def replace_fields(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`dataclasses.replace`: the same record with other fields."""
    if lost := _own(args.get(0)):
        return escape(m, reader, node, "dataclasses.replace", Args([(lost, 0)]))
    for atom in args.get(0):
        if isinstance(atom, Instance):
            store_fields(m, atom.class_, [], args)
    return args.get(0)
