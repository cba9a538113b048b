"""Calls: binding arguments to parameters, and what each kind of callable returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer.absent import is_absent
from flax2optax.codemod.infer.machine import Escape, Frame, Machine
from flax2optax.codemod.infer.objects import (
    bind_methods,
    carried,
    class_member,
    declared_fields,
    external_bases,
    family,
    optimizer_base,
    subclasses,
)
from flax2optax.codemod.infer.scope import Env
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
    External,
    Free,
    FunctionRef,
    Gradient,
    Instance,
    Literal,
    Made,
    OptimizerClass,
    Other,
    Partial,
    Super,
    Transformed,
    TupleOf,
    Unknown,
    Value,
    join,
    one,
)


@dataclass(slots=True)
class Args:
    """Evaluated arguments: (value, id of its expression); `rest` and `keyword_rest` are what `*` and `**` may add."""

    positional: list[tuple[Value, NodeId]] = field(default_factory=list)
    keywords: dict[str, tuple[Value, NodeId]] = field(default_factory=dict)
    rest: Value = NOTHING
    keyword_rest: Value = NOTHING
    spread: set[NodeId] = field(default_factory=set)

    def get(self, index: int, name: str = "") -> Value:
        """One argument by position or keyword; nothing if it was not given."""
        if index < len(self.positional):
            return self.positional[index][0]
        if name in self.keywords:
            return self.keywords[name][0]
        return join(self.rest, self.keyword_rest)

    def all(self) -> Value:
        """Every argument, joined."""
        given = [v for v, _ in (*self.positional, *self.keywords.values())]
        return join(*given, self.rest, self.keyword_rest)

    def after(self, count: int) -> Args:
        """Without the first positional arguments."""
        return Args(
            self.positional[count:], self.keywords, self.rest, self.keyword_rest, self.spread
        )

    def before(self, *values: Value) -> Args:
        """With values put before the positional arguments."""
        front = [(v, 0) for v in values]
        return Args(
            front + self.positional, self.keywords, self.rest, self.keyword_rest, self.spread
        )


TRACED = ("jaxpr", "jaxpr and shape")  # a function of which a trace is made, in place of its result


def call(m: Machine, env: Env, node: t.Expression, callee: Value, args: Args) -> Value:
    """What calling `callee` returns. Where some alternative is understood, one that is not adds nothing."""
    understood = frozenset(a for a in callee if not isinstance(a, Other | Unknown | Free | Literal))
    callee = understood or callee
    return join(*(_call(m, env.frame, env, node, atom, args) for atom in callee))


def _call(
    m: Machine, reader: Frame, env: Env | None, node: t.Expression, atom: Atom, args: Args
) -> Value:
    from flax2optax.codemod.infer.containers import LOSES, container_method, elements
    from flax2optax.codemod.infer.library import call_external
    from flax2optax.codemod.infer.optimizers import construct, optimizer_method

    match atom:
        case FunctionRef():
            return call_function(m, reader, node.id, atom, args)
        case Bound(function=function, self_=self_):
            return call_function(m, reader, node.id, function, args.before(one(self_)), bound=True)
        case ClassRef():
            return _construct_instance(m, reader, node, atom, args)
        case Partial(function=function, args=front, kwargs=kwargs):
            inner = args.before(*front)
            inner.keywords = {**{k: (v, 0) for k, v in kwargs}, **args.keywords}
            return _call(m, reader, env, node, function, inner)
        case Transformed(kind="checkify", function=function):  # returns an error beside the result
            return one(TupleOf((OTHER, _call(m, reader, env, node, function, args))))
        case Transformed(kind=kind, function=function) if kind in TRACED:
            result = _call(m, reader, env, node, function, args)
            return OTHER if kind == TRACED[0] else one(TupleOf((OTHER, result)))
        case Transformed(function=function):
            return _call(m, reader, env, node, function, args)
        case Attr(of=Transformed() as function):  # `jit(f).lower(…).compile()` is called like `f`
            if args.positional or args.keywords or args.rest:
                _call(m, reader, env, node, function, args)
            return one(function)
        case Gradient():
            return _gradient(m, reader, env, node, atom, args)
        case External():
            if atom.name == "builtins.super":
                return _super(m, reader, args)
            return call_external(m, reader, env, node, atom.name, args)
        case OptimizerClass():
            return construct(m, reader, node, atom, args)
        case Attr(of=Container()):
            values = [v for v, _ in args.positional]
            keywords = {k: v for k, (v, _) in args.keywords.items()}
            if "key" in keywords:
                each = Args([(elements(m, reader, one(atom.of)), 0)])
                for function in keywords["key"]:
                    _call(m, reader, env, node, function, each)
            return container_method(m, reader, atom, values, keywords, node.id)
        case Attr(of=Instance()):
            return _record_method(m, reader, node, atom, args)
        case Attr(of=ClassRef(class_=class_id), name="__subclasses__"):
            m.store(node.id, "*", frozenset(ClassRef(c) for c in subclasses(m, class_id)))
            return one(Container(node.id, "list"))
        case Attr(of=TupleOf() as items):
            lost = args.before(one(items)) if atom.name in (*LOSES, "__getitem__") else args
            return escape(m, reader, node, f"the method `{atom.name}`", lost)
        case Attr():
            return optimizer_method(m, reader, env, node, atom, args)
        case Instance(class_=class_id):
            if is_absent(m, class_id):
                m.absent_classes[class_id].asked.setdefault("__call__", node.id)
            bound = bind_methods(m, class_member(m, reader, class_id, "__call__"), atom)
            if not bound:
                return escape(m, reader, node, "a call of an object of a library's class", args)
            return join(*(_call(m, reader, env, node, b, args) for b in bound))
        case Free(function=function, path=path) if path.endswith((".replace", "._replace")):
            # A record nobody passes stays that record.
            return m.free(reader, function, path.rsplit(".", 1)[0])
        case Array() if not carried(m, reader, args.all(), True):
            return one(atom)  # `x.astype(…)`, `x.at[0].set(…)`
        case Made(name=name):
            return call_external(m, reader, env, node, name, args)
        case Unknown():
            escape(m, reader, node, "a function that cannot be seen", args)
            return UNKNOWN
    return escape(m, reader, node, callee_name(node), args)


def callee_name(node: t.Expression) -> str:
    """The callee as a reader would name it."""
    func = node.func if isinstance(node, t.Call) else node
    parts: list[str] = []
    while isinstance(func, t.Attribute):
        parts.append(func.attr)
        func = func.value
    parts.append(func.name if isinstance(func, t.Name) else "…")
    return ".".join(reversed(parts))


def escape(m: Machine, reader: Frame, node: t.Expression, into: str, args: Args) -> Value:
    """Arguments go into code that cannot be seen: functions may be called there, optimizers are lost there."""
    from flax2optax.codemod.infer.library import call_back
    from flax2optax.codemod.infer.tables import HARMLESS_METHODS
    from flax2optax.codemod.infer.threads import STARTED, deferred, is_deferring

    if is_deferring(node) or into in STARTED:
        later = deferred(m, reader, node, into, args)
        if later is not None:
            return later
    call_back(m, reader, node, args, into)
    value = args.all()
    direct = carried(m, reader, value)
    if direct:
        method = node.func if isinstance(node, t.Call) else None
        if isinstance(method, t.Attribute) and (
            method.attr in HARMLESS_METHODS or method.attr.startswith("assert")
        ):
            return OTHER
        m.escapes[Escape(node.id, "call", into, frozenset(direct))] = None
        return UNKNOWN
    passed = frozenset(
        a for a in value if isinstance(a, Instance) and carried(m, reader, one(a), True)
    )
    return join(OTHER, passed)


def call_function(
    m: Machine, reader: Frame, node: NodeId, ref: FunctionRef, args: Args, bound: bool = False
) -> Value:
    """Bind arguments, join them into a summary, and return its result."""
    function = m.functions[ref.function]
    m.called.add(function.id)
    m.really_called.add(function.id)
    parameters = bind(m, reader, function, args)
    m.callees.setdefault(node, set()).add((function.id, 0, bound))
    frame = m.frame(function, m.frames[ref.frame], parameters)
    m.ensure(frame)
    result = m.result(reader, frame)
    if function.generator:
        return one(Container(function.id, "iterator"))
    return result


def bind(m: Machine, reader: Frame, function: t.Function, args: Args) -> dict[str, Value]:
    """Arguments by parameter name, defaults filled in."""
    result: dict[str, Value] = {}
    positional = list(args.positional)
    keywords = dict(args.keywords)
    for parameter in function.parameters:
        name = parameter.name
        if parameter.kind == "star":
            result[name] = _star(m, parameter, positional, args)
            positional = []
        elif parameter.kind == "double_star":
            result[name] = _double_star(m, parameter, keywords, args)
        elif parameter.kind != "keyword" and positional:
            value, id_ = positional.pop(0)
            result[name] = value
            _bound_to(m, id_, function, name)
        elif name in keywords:
            value, id_ = keywords.pop(name)
            result[name] = value
            _bound_to(m, id_, function, name)
        else:
            default = m.load(reader, ("default", function.id), name)
            rest = (
                args.keyword_rest
                if parameter.kind == "keyword"
                else join(args.rest, args.keyword_rest)
            )
            result[name] = join(default, rest)
    return result


def _star(
    m: Machine, parameter: t.Parameter, positional: list[tuple[Value, NodeId]], args: Args
) -> Value:
    if not args.rest:
        return one(TupleOf(tuple(v for v, _ in positional)))
    m.store(parameter.id, "*", join(args.rest, *(v for v, _ in positional)))
    return one(Container(parameter.id, "list"))


def _double_star(
    m: Machine, parameter: t.Parameter, keywords: dict[str, tuple[Value, NodeId]], args: Args
) -> Value:
    for key, (value, _) in keywords.items():
        m.store(parameter.id, key, value)
    m.store(parameter.id, "*", args.keyword_rest)
    return one(Container(parameter.id, "dict"))


def _bound_to(m: Machine, node: NodeId, function: t.Function, name: str) -> None:
    if node:
        m.bindings.setdefault(node, {})[function.id, name] = None


def _construct_instance(
    m: Machine, reader: Frame, node: t.Expression, atom: ClassRef, args: Args
) -> Value:
    if is_absent(m, atom.class_):
        from flax2optax.codemod.infer.absent_records import make

        return make(m, reader, node, atom.class_, args)
    instance = Instance(atom.class_)
    base = optimizer_base(m, atom.class_)
    if base is not None:
        from flax2optax.codemod.infer.optimizers import construct

        name = base.name if base.name == "MultiOptimizer" else "OptimizerDef"
        return construct(m, reader, node, OptimizerClass(name, atom.class_), args)
    init = class_member(m, reader, atom.class_, "__init__")
    if init:
        for method in bind_methods(m, init, instance):
            _call(m, reader, None, node, method, args)
        return one(instance)
    fields = [name for name, _ in declared_fields(m, atom.class_)]
    if not fields and external_bases(m, atom.class_) - {"builtins.object"}:
        result = escape(m, reader, node, f"the class {m.classes[atom.class_].name}", args)
        return join(one(instance), result - OTHER)
    store_fields(m, atom.class_, fields, args)
    for method in bind_methods(m, class_member(m, reader, atom.class_, "__post_init__"), instance):
        _call(m, reader, None, node, method, Args())
    return one(instance)


def store_fields(m: Machine, class_id: NodeId, fields: list[str], args: Args) -> None:
    """Put arguments into the fields of a class: by their order, or under their keywords."""
    owner = family(m, class_id)
    for index, (value, id_) in enumerate(args.positional):
        if index < len(fields):
            m.store(owner, fields[index], value)
            m.bindings.setdefault(id_, {})[class_id, fields[index]] = None
    for name, (value, id_) in args.keywords.items():
        m.store(owner, name, value)
        m.bindings.setdefault(id_, {})[class_id, name] = None
    for name in fields[len(args.positional) :]:
        if name not in args.keywords:
            m.store(owner, name, join(args.rest, args.keyword_rest))


def _record_method(m: Machine, reader: Frame, node: t.Expression, atom: Attr, args: Args) -> Value:
    assert isinstance(atom.of, Instance)
    if is_absent(m, atom.of.class_):
        from flax2optax.codemod.infer.absent_records import give

        return give(m, reader, node, atom.of.class_, args)
    if atom.name in ("replace", "_replace"):
        store_fields(m, atom.of.class_, [], args)
        owner = family(m, atom.of.class_)
        if args.keyword_rest:
            for name, _ in declared_fields(m, atom.of.class_):
                m.store(owner, name, args.keyword_rest)
    if atom.name == "_asdict":
        m.store(node.id, "*", m.load_all(reader, family(m, atom.of.class_)))
        return one(Container(node.id, "dict"))
    return one(atom.of)


def _gradient(
    m: Machine, reader: Frame, env: Env | None, node: t.Expression, atom: Gradient, args: Args
) -> Value:
    result = _call(m, reader, env, node, atom.function, args)
    if not atom.chosen and (lost := carried(m, reader, args.get(0))):
        into = "the gradient with respect to it"
        m.escapes[Escape(node.id, "call", into, frozenset(lost))] = None
        return UNKNOWN
    if not atom.with_value and not atom.has_aux:
        return OTHER
    if not atom.with_value:
        aux = join(*(a.items[1] for a in result if isinstance(a, TupleOf) and len(a.items) == 2))
        return one(TupleOf((OTHER, aux)))
    return one(TupleOf((result, OTHER)))


def _super(m: Machine, reader: Frame, args: Args) -> Value:
    function = reader.function.method if reader.function is not None else None
    if function is None or function.owner is None or not function.parameters:
        return OTHER
    self_ = reader.variables.get(function.parameters[0].name, NOTHING)
    if args.positional:  # `super(Class, self)`
        self_ = join(self_, args.get(1))
    return (
        frozenset(Super(function.owner.id, a) for a in self_ if isinstance(a, Instance | ClassRef))
        or OTHER
    )


def call_bound(m: Machine, reader: Frame, node: NodeId, bound: Value, *given: Value) -> Value:
    """Call the function of a property or a special method."""
    return join(*(
        call_function(
            m, reader, node, a.function, Args([(v, 0) for v in (one(a.self_), *given)]), bound=True
        )
        for a in bound
        if isinstance(a, Bound)
    ))  # fmt: skip
