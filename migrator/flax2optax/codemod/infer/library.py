"""What library functions do with the values they are given, by the tables and handlers beside this."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.absent import is_absent_object
from flax2optax.codemod.infer.calls import TRACED, Args, bind, call_function, escape
from flax2optax.codemod.infer.containers import elements
from flax2optax.codemod.infer.machine import Escape, Frame, Machine
from flax2optax.codemod.infer.objects import (
    annotation_value,
    carried,
)
from flax2optax.codemod.infer.scope import PROJECT, Env
from flax2optax.codemod.infer.stored import RAW, restored
from flax2optax.codemod.infer.tables import (
    ARRAYS,
    COUNTS,
    HARMLESS,
    LEAVES,
    OBJECTS,
    OPENS,
    PARTIALS,
    RESTORE,
    SAME,
    SAVES,
    SHALLOW,
    TRACES,
    TREE_MAP,
    WRAPPERS,
)
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    Array,
    Atom,
    Attr,
    Bound,
    ClassRef,
    Container,
    External,
    FunctionRef,
    Gradient,
    Instance,
    Made,
    Part,
    Partial,
    Transformed,
    TupleOf,
    Value,
    join,
    one,
    unwrapped,
)


def call_external(
    m: Machine, reader: Frame, env: Env | None, node: t.Expression, name: str, args: Args
) -> Value:
    """What calling the library's `name` returns."""
    if name in COUNTS and any(isinstance(a, Part) and a.kind == "state" for a in args.get(0)):
        return escape(m, reader, node, name.removeprefix("builtins."), args)
    if name in SAME:
        found = _same(m, reader, node, name, args)
        return found if name in SHALLOW else _copied(found)
    if name in WRAPPERS:
        return _wrapped(m, node, name, args)
    if name in PARTIALS:
        return _partial(node, args)
    if name in TREE_MAP or name in LEAVES:
        from flax2optax.codemod.infer.trees import over_whole_objects

        whole = over_whole_objects(m, reader, node, name, args)
        if whole is not None:
            return whole
    if name in TREE_MAP:
        call_on_leaves(m, reader, node, args)
        return _copied(join(*(v for v, _ in args.positional[1:]), args.rest)) or OTHER
    if name in RESTORE:
        return restored(args.get(*RESTORE[name]))
    if name in RAW:
        return restored()
    if name in OPENS:
        from flax2optax.codemod.infer.trees import opened

        return opened(m, reader, node, name, args)
    if name in HARMLESS or name in SAVES:
        return OTHER
    if name in ARRAYS:
        return one(Array())
    if name in OBJECTS:
        return one(External(OBJECTS[name]))
    from flax2optax.codemod.infer.handlers import HANDLERS

    handler = HANDLERS.get(name)
    if handler is not None:
        return handler(m, reader, node, args)
    return _unlisted(m, reader, node, name, args)


def _unlisted(m: Machine, reader: Frame, node: t.Expression, name: str, args: Args) -> Value:
    if name.startswith(
        ("typing.", "abc.", "dataclasses.dataclass", "flax.struct.", "chex.", "attr.")
    ):
        first = args.get(0)
        functions = frozenset(a for a in first if isinstance(a, FunctionRef | ClassRef))
        if functions:
            return functions
    if name.startswith(PROJECT):
        value = args.all()
        known = functions_in(value) or any(isinstance(a, ClassRef) for a in value)
        if known or carried(m, reader, value, instances=True):
            m.want((name,))
        return one(Made(name))
    found = escape(m, reader, node, name.removeprefix("builtins."), args)
    return one(Array()) if found == OTHER and name.startswith(("jax.numpy.", "numpy.")) else found


def _same(m: Machine, reader: Frame, node: t.Expression, name: str, args: Args) -> Value:
    value = args.get(0)
    if "key" in args.keywords:
        invoke_all(m, reader, node, args.keywords["key"][0], plain(elements(m, reader, value)))
    if name in ("builtins.reversed", "builtins.sorted"):
        m.store(node.id, "*", elements(m, reader, value))
        return one(Container(node.id, "list"))
    if name in ("builtins.list", "builtins.tuple", "builtins.iter"):
        if all(isinstance(a, TupleOf) for a in value) and name == "builtins.tuple":
            return value
        if any(isinstance(a, Container) and a.kind == "dict" for a in value) or len(value) != 1:
            m.store(node.id, "*", elements(m, reader, value))
            return one(Container(node.id, "list"))
    return value or OTHER


def _copied(value: Value) -> Value:
    """A tree that was made anew: what is changed in it is not changed in the moments it was made of."""
    moments = frozenset(a for a in value if isinstance(a, Part) and a.kind == "param_states")
    return (value - moments) | OTHER if moments else value


def _wrapped(m: Machine, node: t.Expression, name: str, args: Args) -> Value:
    found = join(args.get(0), *(v for k, (v, _) in args.keywords.items() if k in ("fun", "f")))
    kind = name.rsplit(".", 1)[-1]
    if name in TRACES:
        kind = TRACED["return_shape" in args.keywords]
    kept = frozenset(Transformed(kind, a, node.id) for a in found if is_callable(a))
    if (
        not kept and not args.positional
    ):  # `@jit(static_argnums=0)`: the function comes with the next call
        keywords = tuple((k, v) for k, (v, _) in args.keywords.items())
        return one(Partial(External(name), (), keywords, node.id))
    return kept or found or OTHER


def is_callable(atom: Atom) -> bool:
    """Whether an atom is called like a function."""
    return isinstance(
        atom, FunctionRef | Bound | Partial | Transformed | Gradient | Attr | Instance | ClassRef
    )


def _partial(node: t.Expression, args: Args) -> Value:
    if not args.positional:
        return OTHER
    front = tuple(v for v, _ in args.positional[1:])
    keywords = tuple((k, v) for k, (v, _) in args.keywords.items())
    function = args.positional[0][0]
    return frozenset(Partial(a, front, keywords, node.id) for a in function) or OTHER


def functions_in(value: Value) -> list[Atom]:
    """The callables of the program in a value, those of partials and transformations too."""
    return [
        a for a in value if isinstance(a, FunctionRef | Bound | Partial | Transformed | Gradient)
    ]


def seen_into(atom: Atom) -> bool:
    """Whether a decorator is understood; any other is taken to keep its function's signature and result."""
    from flax2optax.codemod.infer.handlers import HANDLERS

    if isinstance(atom, External):
        return atom.name in WRAPPERS or atom.name in PARTIALS or atom.name in HANDLERS
    return isinstance(atom, FunctionRef | Bound | Partial | Transformed)


def call_back(m: Machine, reader: Frame, node: t.Expression, args: Args, into: str = "") -> None:
    """A library that cannot be seen into may call the functions it is given, with values of its own.

    What they return goes `into` it, if that is said.
    """
    for value, _ in (*args.positional, *args.keywords.values()):
        for atom in functions_in(value):
            if atom not in m.called_back:  # later its summary runs again when what it reads changes
                m.called_back.add(atom)
                _call_back(m, reader, atom)
            if into and (lost := carried(m, reader, _returned(m, reader, atom))):
                m.escapes[Escape(node.id, "call", into, frozenset(lost))] = None


def _call_back(m: Machine, reader: Frame, atom: Atom) -> None:
    ref, front = atom, Args()
    while isinstance(ref, Partial | Transformed | Gradient):
        if isinstance(ref, Partial):
            front = front.before(*ref.args)
            front.keywords.update((k, (v, 0)) for k, v in ref.kwargs)
        ref = ref.function
    if isinstance(ref, FunctionRef):
        call_free(m, reader, ref, front)
    elif isinstance(ref, Bound):
        call_free(m, reader, ref.function, front.before(one(ref.self_)))


def _returned(m: Machine, reader: Frame, atom: Atom) -> Value:
    """What a function of the program is known to return."""
    inner = unwrapped(atom)
    function = inner.function if isinstance(inner, Bound) else inner
    if not isinstance(function, FunctionRef) or isinstance(atom, Gradient):
        return NOTHING
    frames = m.frames_of.get(function.function, ())
    return join(*(m.result(reader, frame) for frame in frames))


def call_on_leaves(m: Machine, reader: Frame, node: t.Expression, args: Args) -> None:
    """`tree_map` calls its function with leaves, which are arrays."""
    for value, _ in (*args.positional[:1], *args.keywords.values()):
        for atom in functions_in(value):
            invoke(m, reader, node, atom, Args(rest=OTHER))


def call_free(m: Machine, reader: Frame, ref: FunctionRef, args: Args) -> None:
    """Call a function of the program with parameters nobody passes, unless somebody is known to call it."""
    function = m.functions[ref.function]
    if function.id in m.known_calls:
        return
    m.imagined.add(function.id)
    given = {p.name for p in function.parameters[: len(args.positional)]} | set(args.keywords)
    parameters = bind(m, reader, function, args)
    for parameter in function.parameters:
        if parameter.name in given or parameter.kind in ("star", "double_star"):
            continue
        annotation = m.load(reader, ("annotation", function.id), parameter.name)
        known = annotation_value(m, annotation, parameter.id)
        if not known or is_absent_object(m, known):  # of whose fields nothing may be known, too
            known = join(known, m.free(reader, function.id, parameter.name))
        parameters[parameter.name] = join(parameters[parameter.name], known)
    m.called.add(function.id)
    m.ensure(m.frame(function, m.frames[ref.frame], parameters))


def invoke(m: Machine, reader: Frame, node: t.Expression, atom: Atom, args: Args) -> Value:
    """Call one callable from inside a library function."""
    from flax2optax.codemod.infer.calls import _call

    if isinstance(atom, FunctionRef):
        return call_function(m, reader, 0, atom, args)
    return _call(m, reader, None, t.Expression(0), atom, args)


def invoke_all(m: Machine, reader: Frame, node: t.Expression, value: Value, args: Args) -> Value:
    """Call every alternative, and join what they return."""
    return join(*(invoke(m, reader, node, a, args) for a in value))


def plain(*values: Value) -> Args:
    """Positional arguments that no expression of the program stands for."""
    return Args([(v, 0) for v in values])


# Handlers
