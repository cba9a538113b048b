"""Attributes: of modules, classes, instances and optimizers; and what an object carries."""

from __future__ import annotations

from collections.abc import Hashable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.absent import absent_attribute, absent_member, is_absent
from flax2optax.codemod.infer.machine import Escape, Frame, Machine
from flax2optax.codemod.infer.scope import PROJECT, library, member
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    UNKNOWN,
    Array,
    Atom,
    Attr,
    Bound,
    ClassRef,
    Container,
    Definition,
    External,
    Free,
    FunctionRef,
    Instance,
    Literal,
    Made,
    ModuleRef,
    Optimizer,
    OptimizerClass,
    Other,
    Part,
    Partial,
    Serialized,
    Super,
    Transformed,
    TupleOf,
    Unknown,
    Value,
    join,
    leaves,
    may_hold,
    one,
    unwrapped,
)

DEFINITION_METHODS = frozenset({
    "create", "apply_gradient", "init_state", "update_hyper_params", "apply_param_gradient",
    "init_param_state", "state_dict", "restore_state", "replace",
})  # fmt: skip
_MAPPING = frozenset({"get", "items", "keys", "values", "update", "setdefault", "pop"})
# What is called on a part of an optimizer, and returns (a part of) it.
_OF_PARTS = _MAPPING | {"replace", "copy", "popitem"}
STRUCTURE = "jax.tree_util.PyTreeDef"
AHEAD = frozenset({"lower", "trace", "compile"})  # steps of compiling before the first call
RECORD_METHODS = frozenset({"replace", "_replace", "copy", "_asdict", "create", "unpack"})


# Classes


def bases(m: Machine, class_id: NodeId) -> list[Atom]:
    """The base classes of a class, project classes first found first."""
    owner = ("bases", class_id)
    return [atom for key in m.fields(owner) for atom in m.cells[owner, key]]


def ancestors(m: Machine, class_id: NodeId) -> list[NodeId]:
    """The class and its project ancestors, in Python's look-up order."""
    found = m.orders.get(class_id)
    if found is None:
        found = m.orders[class_id] = _linear(m, class_id, frozenset())
    return found


def _linear(m: Machine, class_id: NodeId, below: frozenset[NodeId]) -> list[NodeId]:
    """C3, as `type.mro()` has it; where that has no answer, each class once."""
    below |= {class_id}
    parents = [b.class_ for b in bases(m, class_id) if isinstance(b, ClassRef)]
    parents = [one_ for one_ in dict.fromkeys(parents) if one_ not in below]
    waiting = [*(_linear(m, one_, below) for one_ in parents), parents]
    found = [class_id]
    while waiting := [rest for rest in waiting if rest]:
        heads = (rest[0] for rest in waiting)
        free = (h for h in heads if all(h not in rest[1:] for rest in waiting))
        following = next(free, waiting[0][0])
        found.append(following)
        waiting = [[one_ for one_ in rest if one_ != following] for rest in waiting]
    return found


def subclasses(m: Machine, class_id: NodeId) -> list[NodeId]:
    """Every project class that inherits from this one."""
    return [c for c in m.classes if c != class_id and class_id in ancestors(m, c)]


def family(m: Machine, class_id: NodeId) -> Hashable:
    """The heap object that holds the fields of a class and all its relatives."""
    return ("fields", ancestors(m, class_id)[-1])


def external_bases(m: Machine, class_id: NodeId) -> set[str]:
    """Dotted names of library classes among the ancestors."""
    return {
        base.name if isinstance(base, External) else ""
        for current in ancestors(m, class_id)
        for base in bases(m, current)
        if not isinstance(base, ClassRef | OptimizerClass)
    }


def optimizer_base(m: Machine, class_id: NodeId) -> OptimizerClass | None:
    """The flax.optim class a program's own class inherits from."""
    for current in ancestors(m, class_id):
        for base in bases(m, current):
            if isinstance(base, OptimizerClass):
                return base
    return None


def class_member(
    m: Machine, reader: Frame, class_id: NodeId, name: str, after: bool = False
) -> Value:
    """A method or class attribute by look-up order."""
    for current in ancestors(m, class_id)[1 if after else 0 :]:
        value = m.load(reader, ("class", current), name)
        if value:
            return value
    return NOTHING


def _inherited(m: Machine, reader: Frame, class_id: NodeId, self_: Atom, name: str) -> Value:
    """What `super()` of a class finds: the next class in the order of the object's own."""
    if not isinstance(self_, Instance | ClassRef):
        return NOTHING
    order = ancestors(m, self_.class_)
    after = order[order.index(class_id) + 1 :] if class_id in order else ancestors(m, class_id)[1:]
    for current in after:
        value = m.load(reader, ("class", current), name)
        if value:
            return value
    return NOTHING


def declared_fields(m: Machine, class_id: NodeId) -> list[tuple[str, NodeId]]:
    """Annotated fields in constructor order, with the class that declares each."""
    fields: dict[str, NodeId] = {}
    for current in reversed(ancestors(m, class_id)):
        for name in m.fields(("declared", current)):
            fields.setdefault(str(name), current)
    return list(fields.items())


def record_fields(m: Machine, reader: Frame, atom: Instance) -> list[tuple[str, Value]]:
    """Declared fields with what they hold."""
    names = declared_fields(m, atom.class_)
    return [(name, field_value(m, reader, atom.class_, name)) for name, _ in names]


def field_value(m: Machine, reader: Frame, class_id: NodeId, name: str) -> Value:
    """What a field holds: what was stored, else its default, else what its annotation says."""
    stored = m.load(reader, family(m, class_id), name)
    default = class_member(m, reader, class_id, name)
    functions = [a for a in default if isinstance(a, FunctionRef)]
    if stored:
        return join(stored, default) if not functions else stored
    annotated = NOTHING
    for current in ancestors(m, class_id):
        annotation = m.load(reader, ("declared", current), name)
        annotated = join(annotated, annotation_value(m, annotation, m.field_site(current, name)))
    return join(default, annotated)


def annotation_value(m: Machine, annotation: Value, site: NodeId) -> Value:
    """What an annotated place may hold when nothing else says so; an optimizer there is an assumption."""
    found = NOTHING
    for atom in annotation:
        if isinstance(atom, ClassRef) and is_absent(m, atom.class_):
            found = join(found, one(Instance(atom.class_)))
        elif isinstance(atom, ClassRef) and optimizer_base(m, atom.class_) is None:
            kinds = (atom.class_, *subclasses(m, atom.class_))
            found = join(found, frozenset(map(Instance, kinds)))
        elif isinstance(atom, OptimizerClass) and atom.name == "Optimizer":
            m.assume(site, "annotation")
            found = join(found, one(Optimizer(site)))
        elif isinstance(atom, OptimizerClass) and atom.name != "OptimizerState":
            m.assume(site, "annotation")
            found = join(found, one(Definition(site)))
        elif isinstance(atom, External) and atom.name.startswith(PROJECT):
            found = join(found, one(Made(atom.name)))  # a method that gets an optimizer has it read
        elif isinstance(atom, TupleOf):
            found = join(
                found,
                one(TupleOf(tuple(annotation_value(m, i, site) or OTHER for i in atom.items))),
            )
    return found


# Attributes


def attribute(m: Machine, reader: Frame, atom: Atom, name: str, node: NodeId) -> Value:
    """`atom.name`."""
    if type(atom) is Other:
        return OTHER
    match atom:
        case External(name=dotted):
            return absent_member(m, dotted, name) or library(f"{dotted}.{name}")
        case ModuleRef(path=path):
            return member(m, reader, path, name) or NOTHING
        case Instance(class_=class_id):
            return _instance_attribute(m, reader, atom, class_id, name, node)
        case Super(class_=class_id, self_=self_):
            return bind_methods(m, _inherited(m, reader, class_id, self_, name), self_)
        case ClassRef(class_=class_id):
            return _class_attribute(m, reader, atom, class_id, name)
        case Optimizer() | Definition() | Part() | OptimizerClass() | Serialized():
            return _optimizer_attribute(m, reader, atom, name, node)
        case Free(function=function, path=path):
            m.free_uses.setdefault((function, path), {}).setdefault(name, node)
            return m.free(reader, function, f"{path}.{name}") if path.count(".") < 3 else OTHER
        case Container(site=site, kind="namespace") if name not in RECORD_METHODS:
            if name in _MAPPING:
                return one(Attr(atom, name))
            return join(m.load(reader, site, name), m.load(reader, site, "*")) or OTHER
        case Container() | TupleOf():
            return one(Attr(atom, name))
        case Unknown():
            return UNKNOWN
        case Literal(value=None):
            return NOTHING
        case Made() | Array():
            return one(atom)
        case Partial(function=External(name=dotted), args=args) if dotted == STRUCTURE:
            return one(Partial(External(f"{STRUCTURE}.{name}"), args, (), node))
        case Transformed() if name in AHEAD:
            return one(Attr(atom, name))
        case Attr() | FunctionRef() | Bound():
            return OTHER
    return OTHER


def _instance_attribute(
    m: Machine, reader: Frame, atom: Instance, class_id: NodeId, name: str, node: NodeId
) -> Value:
    if is_absent(m, class_id) and not name.startswith("__"):
        return absent_attribute(m, reader, atom, name, node)
    if name == "__class__":
        return one(ClassRef(class_id))
    if name == "__dict__":
        return opened(m, reader, atom, node, "`__dict__`")
    member_ = class_member(m, reader, class_id, name)
    methods = frozenset(a for a in member_ if isinstance(unwrapped(a), FunctionRef))
    if methods:
        bound = bind_methods(m, member_, atom)
        functions = [a for a in methods if isinstance(a, FunctionRef)]
        properties = [a for a in functions if _decorated(m, a, "property")]
        return m.call_bound(reader, node, bound) if properties else bound
    value = field_value(m, reader, class_id, name)
    if value:
        return value
    if name in RECORD_METHODS:
        return one(Attr(atom, name))
    if class_member(m, reader, class_id, "__getattr__") or external_bases(m, class_id):
        return OTHER
    believed = m.missing(reader, class_id, name, node)
    if not declared_fields(
        m, class_id
    ):  # what is no record may get fields in ways that are not seen
        for found in believed:
            m.assume(node if not isinstance(found, Optimizer) else found.site, "use")
    return believed


def opened(m: Machine, reader: Frame, atom: Atom, node: NodeId, by: str) -> Value:
    """An object's fields as a dict: what is in them is lost."""
    inside = frozenset(carried(m, reader, one(atom), instances=True))
    if not inside:
        return OTHER
    m.escapes[Escape(node, "attribute", f"{by} of an object", inside)] = None
    return UNKNOWN


def _class_attribute(m: Machine, reader: Frame, atom: Atom, class_id: NodeId, name: str) -> Value:
    if name == "__subclasses__":
        return one(Attr(atom, name))
    found = class_member(m, reader, class_id, name)
    result = NOTHING
    for member_ in found:
        if isinstance(member_, FunctionRef) and _decorated(m, member_, "classmethod"):
            result = join(result, one(Bound(member_, atom)))
        else:
            result = join(result, one(member_))
    return result or OTHER


def bind_methods(m: Machine, members: Value, self_: Atom) -> Value:
    """Bind the functions among class members to an object."""
    result = NOTHING
    for atom in members:
        if isinstance(atom, FunctionRef) and not _decorated(m, atom, "staticmethod"):
            owner = self_
            if isinstance(self_, Instance) and _decorated(m, atom, "classmethod"):
                owner = ClassRef(self_.class_)
            result = join(result, one(Bound(atom, owner)))
        elif isinstance(atom, Transformed):
            result = join(result, one(_bound_transformed(m, atom, self_)))
        else:
            result = join(result, one(atom))
    return result


def _bound_transformed(m: Machine, atom: Transformed, self_: Atom) -> Atom:
    """A method under `jit`: bind the function inside."""
    inner = next(iter(bind_methods(m, one(atom.function), self_)))
    return Transformed(atom.kind, inner, atom.site)


def _decorated(m: Machine, ref: FunctionRef, name: str) -> bool:
    function = m.functions[ref.function]
    for decorator in function.decorators:
        for atom in m.values.get(decorator.id, NOTHING):
            if isinstance(atom, External) and atom.name.rsplit(".", 1)[-1] in (
                name,
                f"cached_{name}",
            ):
                return True
    return name == "staticmethod" and function.name == "__new__"


def _optimizer_attribute(m: Machine, reader: Frame, atom: Atom, name: str, node: NodeId) -> Value:
    match atom, name:
        case Optimizer(site=site), "target" | "state":
            return one(Part(name, site))
        case Optimizer(site=site), "optimizer_def":
            return m.load(reader, ("definition", site), "of") or one(Definition(site))
        case Optimizer(), _:
            return one(Attr(atom, name))
        case Part(kind="state", site=site), "step" | "param_states":
            return one(Part(name, site))
        case Part(kind="state"), "replace":
            return one(Attr(atom, name))
        case Part(kind="param_states"), _ if name in _OF_PARTS:
            return one(Attr(atom, name))
        case Part(), _:
            return OTHER
        case Definition(site=site), "hyper_params":
            return one(Part("hyper_params", site))
        case Definition(), _ if name in DEFINITION_METHODS:
            return one(Attr(atom, name))
    return OTHER


def store_attribute(
    m: Machine, reader: Frame, base: Value, name: str, value: Value, node: NodeId
) -> None:
    """`base.name = value`."""
    seen = any(isinstance(a, Instance | ClassRef | ModuleRef | Container) for a in base)
    for atom in base:
        if isinstance(atom, Container):
            m.store(atom.site, name, value)
            continue
        if isinstance(atom, Instance):
            setters = bind_methods(m, class_member(m, reader, atom.class_, name), atom)
            if any(isinstance(a, Bound) and _sets(m, a.function) for a in setters):
                kept = frozenset(
                    a for a in setters if isinstance(a, Bound) and _sets(m, a.function)
                )
                m.call_bound(reader, 0, kept, value)
            else:
                m.store(family(m, atom.class_), name, value)
        elif isinstance(atom, ClassRef):
            m.store(("class", atom.class_), name, value)
        elif isinstance(atom, ModuleRef) and not atom.path.endswith("/"):
            if not m.opens(reader, atom.path) and carries(m, reader, value, instances=True):
                m.wanted.add(atom.path)
            m.assign(m.module_frame(atom.path), name, value)
        elif isinstance(atom, External) and atom.name.startswith(PROJECT):
            if carries(m, reader, value, instances=True):
                m.want((atom.name,))
        elif isinstance(atom, Literal):
            continue
        elif not seen and carries(m, reader, value):
            m.escapes[
                Escape(node, "attribute", "an attribute of an object that cannot be seen", value)
            ] = None


def _sets(m: Machine, ref: FunctionRef) -> bool:
    """Whether a function is a property's setter."""
    decorators = m.functions[ref.function].decorators
    return any(isinstance(d, t.Attribute) and d.attr == "setter" for d in decorators)


def carries(m: Machine, reader: Frame, value: Value, instances: bool = False) -> bool:
    """Whether an optimizer, its definition or its state is in a value; in fields of instances only if asked."""
    return bool(carried(m, reader, value, instances))


def carried(
    m: Machine,
    reader: Frame,
    value: Value,
    instances: bool = False,
    seen: set[Hashable] | None = None,
    kinds: tuple[str, ...] = ("state",),
) -> set[Atom]:
    """The optimizers, definitions and parts of these kinds in a value."""
    found: set[Atom] = set()
    if not may_hold(value):
        return found
    seen = set() if seen is None else seen
    for atom in leaves(value):
        if is_carried(atom, kinds):
            found.add(atom)
        elif isinstance(atom, Container) and atom.site not in seen:
            seen.add(atom.site)
            found |= carried(m, reader, m.load_all(reader, atom.site), instances, seen, kinds)
        elif isinstance(atom, Instance) and instances and atom.class_ not in seen:
            seen.add(atom.class_)
            owner = family(m, atom.class_)
            found |= carried(m, reader, m.load_all(reader, owner), instances, seen, kinds)
    return found


def is_carried(atom: Atom, kinds: tuple[str, ...] = ("state",)) -> bool:
    """Whether an atom is an optimizer, its definition or a part of these kinds."""
    return isinstance(atom, Optimizer | Definition) or (
        isinstance(atom, Part) and atom.kind in kinds
    )


def heap_owner(m: Machine, atom: Atom) -> Hashable | None:
    """The heap object that has what is in an atom: a container's own, or the one of a class and its relatives."""
    if isinstance(atom, Container):
        return atom.site
    return family(m, atom.class_) if isinstance(atom, Instance) else None
