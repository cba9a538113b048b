"""What library functions do with the values they are given; anything not listed here cannot be seen into."""

from __future__ import annotations

from collections.abc import Callable

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args, bind, call_function, escape
from flax2optax.codemod.infer.containers import elements, item
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import (
    annotation_value,
    attribute,
    carried,
    family,
    store_attribute,
)
from flax2optax.codemod.infer.scope import PROJECT, Env
from flax2optax.codemod.infer.stored import RAW, restored
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    Array,
    Atom,
    Attr,
    Bound,
    ClassRef,
    Container,
    Definition,
    External,
    FunctionRef,
    Gradient,
    Instance,
    Literal,
    Made,
    OptimizerClass,
    Partial,
    Serialized,
    Transformed,
    TupleOf,
    Value,
    join,
    one,
)

# A library's function that returns its first argument, or a tree of the same structure.
SAME = frozenset({
    "flax.jax_utils.replicate", "flax.jax_utils.unreplicate", "jax.device_get", "jax.device_put",
    "jax.device_put_replicated", "jax.device_put_sharded", "copy.copy", "copy.deepcopy",
    "jax.lax.stop_gradient", "jax.block_until_ready", "jax.lax.pmean", "jax.lax.psum", "jax.lax.pmax",
    "jax.lax.all_gather", "jax.lax.with_sharding_constraint", "flax.core.freeze", "flax.core.unfreeze",
    "flax.core.frozen_dict.freeze", "flax.core.frozen_dict.unfreeze", "flax.training.common_utils.shard",
    "jax.numpy.asarray", "jax.experimental.multihost_utils.broadcast_one_to_all", "identity",
    "builtins.iter", "builtins.reversed", "builtins.list", "builtins.tuple", "builtins.sorted",

})  # fmt: skip
# A decorator or transformation whose result is called like the function it got.
WRAPPERS = frozenset({
    "jax.jit", "jax.pmap", "jax.vmap", "jax.pjit", "jax.experimental.pjit.pjit", "jax.experimental.pjit",
    "jax.checkpoint", "jax.remat", "jax.named_call", "jax.soft_pmap", "jax.experimental.maps.xmap",
    "jax.api.jit", "jax.api.pmap", "jax.api.vmap", "jax.experimental.checkify.checkify",
    "jax.custom_jvp", "jax.custom_vjp", "alpa.parallelize", "chex.chexify",
    "functools.lru_cache", "functools.cache", "contextlib.contextmanager", "jax.profiler.annotate_function",
    "flax.linen.jit", "flax.linen.remat", "gin.configurable", "gin.external_configurable", "gin.register",
    "jax.named_scope", "jax.make_jaxpr", "jax.xla_computation", "jax.experimental.shard_map.shard_map", "jax.shard_map", "chex.assert_max_traces",
})  # fmt: skip
SAVES = frozenset({
    "flax.training.checkpoints.save_checkpoint", "flax.training.checkpoints.save_checkpoint_multiprocess",
    "flax.serialization.to_bytes", "flax.serialization.msgpack_serialize",
    "pickle.dump", "pickle.dumps", "cloudpickle.dump", "joblib.dump",
})  # fmt: skip
HARMLESS = frozenset({
    "builtins.print", "builtins.str", "builtins.repr", "builtins.len", "builtins.id",
    "builtins.isinstance", "builtins.hasattr", "builtins.callable", "builtins.bool", "builtins.hash",
    "absl.logging.info", "absl.logging.debug", "absl.logging.warning", "logging.info", "logging.debug",
    "logging.warning", "pprint.pprint", "jax.tree_util.tree_structure", "jax.tree_structure",
    "jax.debug.print", "jax.ops.index_update", "flax.core.pretty_repr", "builtins.dir", "builtins.vars",
    "sys.getsizeof", "gc.collect", "jax.tree_util.tree_leaves", "jax.tree_leaves", "jax.tree.leaves",
    "jax.tree.structure", "jax.numpy.where", "builtins.any", "builtins.all", "builtins.sum",
    "builtins.range", "jax.tree_util.all_leaves", "jax.tree_util.tree_all", "inspect.signature",
    "jax.tree_util.tree_reduce", "jax.tree_reduce", "jax.tree.reduce", "builtins.delattr", *SAVES,
})  # fmt: skip
HARMLESS_METHODS = frozenset({
    "info", "debug", "warning", "error", "log", "exception", "critical", "print",  # loggers
    "scalar", "scalars", "add_scalar", "write_scalars", "histogram", "text",  # writers of summaries
})  # fmt: skip
ARRAYS = frozenset(
    [
        f"jax.numpy.{made}"
        for made in ("array", "zeros", "ones", "full", "arange", "linspace", "eye", "empty")
    ]
    + [
        f"jax.random.{made}"
        for made in ("normal", "uniform", "truncated_normal", "laplace", "gumbel")
    ]
)
TREE_MAP = frozenset({
    "jax.tree_map", "jax.tree_multimap", "jax.tree_util.tree_map", "jax.tree_util.tree_multimap",
    "jax.tree.map", "tree.map_structure",
})  # fmt: skip
LEAVES = frozenset({
    "jax.tree_util.tree_leaves", "jax.tree_leaves", "jax.tree.leaves",
    "jax.tree_util.tree_flatten", "jax.tree_flatten", "jax.tree.flatten",
})  # fmt: skip
RESTORE = {
    "flax.training.checkpoints.restore_checkpoint": (1, "target"),
    "flax.serialization.from_state_dict": (0, "target"),
    "flax.serialization.from_bytes": (0, "target"),
}
PARTIALS = frozenset(
    {"functools.partial", "jax.tree_util.Partial", "jax.util.partial", "toolz.partial"}
)


def call_external(
    m: Machine, reader: Frame, env: Env | None, node: t.Expression, name: str, args: Args
) -> Value:
    """What calling the library's `name` returns."""
    if name in SAME:
        return _same(m, reader, node, name, args)
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
        return join(*(v for v, _ in args.positional[1:]), args.rest) or OTHER
    if name in RESTORE:
        return restored(args.get(*RESTORE[name]))
    if name in RAW:
        return restored()
    if name in HARMLESS:
        return OTHER
    if name in ARRAYS:
        return one(Array())
    handler = _HANDLERS.get(name)
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
        if functions_in(value) or carried(m, reader, value, instances=True):
            m.want((name,))
        return one(Made(name))
    found = escape(m, reader, node, name.removeprefix("builtins."), args)
    return one(Array()) if found == OTHER and name.startswith(("jax.numpy.", "numpy.")) else found


def _same(m: Machine, reader: Frame, node: t.Expression, name: str, args: Args) -> Value:
    value = args.get(0)
    if name in (
        "builtins.list",
        "builtins.tuple",
        "builtins.sorted",
        "builtins.reversed",
        "builtins.iter",
    ):
        if all(isinstance(a, TupleOf) for a in value) and name == "builtins.tuple":
            return value
        if any(isinstance(a, Container) and a.kind == "dict" for a in value) or len(value) != 1:
            m.store(node.id, "*", elements(m, reader, value))
            return one(Container(node.id, "list"))
    return value or OTHER


def _wrapped(m: Machine, node: t.Expression, name: str, args: Args) -> Value:
    found = join(args.get(0), *(v for k, (v, _) in args.keywords.items() if k in ("fun", "f")))
    kept = frozenset(
        Transformed(name.rsplit(".", 1)[-1], a, node.id) for a in found if _callable(a)
    )
    if (
        not kept and not args.positional
    ):  # `@jit(static_argnums=0)`: the function comes with the next call
        keywords = tuple((k, v) for k, (v, _) in args.keywords.items())
        return one(Partial(External(name), (), keywords, node.id))
    return kept or found or OTHER


def _callable(atom: Atom) -> bool:
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
    if isinstance(atom, External):
        return atom.name in WRAPPERS or atom.name in PARTIALS or atom.name in _HANDLERS
    return isinstance(atom, FunctionRef | Bound | Partial | Transformed)


def call_back(m: Machine, reader: Frame, node: t.Expression, args: Args) -> None:
    """A library that cannot be seen into may call the functions it is given, with values of its own."""
    for value, _ in (*args.positional, *args.keywords.values()):
        for atom in functions_in(value):
            if (
                atom in m.called_back
            ):  # its summary is there, and runs again when what it reads changes
                continue
            m.called_back.add(atom)
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
        known = known or m.free(function.id, parameter.name)
        parameters[parameter.name] = join(parameters[parameter.name], known)
    m.called.add(function.id)
    m.ensure(m.frame(function, m.frames[ref.frame], parameters))


def invoke(m: Machine, reader: Frame, node: t.Expression, atom: Atom, args: Args) -> Value:
    """Call one callable from inside a library function."""
    from flax2optax.codemod.infer.calls import _call

    if isinstance(atom, FunctionRef):
        return call_function(m, reader, 0, atom, args)
    return _call(m, reader, None, t.Expression(0), atom, args)


def _invoke_all(m: Machine, reader: Frame, node: t.Expression, value: Value, args: Args) -> Value:
    return join(*(invoke(m, reader, node, a, args) for a in value))


def _plain(*values: Value) -> Args:
    return Args([(v, 0) for v in values])


# Handlers


def _grad(with_value: bool) -> Callable[[Machine, Frame, t.Expression, Args], Value]:
    def handler(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
        aux = (
            args.get(2, "has_aux")
            if "has_aux" in args.keywords or len(args.positional) > 2
            else NOTHING
        )
        has_aux = Literal(True) in aux
        found = args.get(0, "fun")
        if not args.positional and "fun" not in args.keywords:
            keywords = tuple((k, v) for k, (v, _) in args.keywords.items())
            return one(
                Partial(
                    External("jax.value_and_grad" if with_value else "jax.grad"),
                    (),
                    keywords,
                    node.id,
                )
            )
        return frozenset(Gradient(a, with_value, has_aux) for a in found if _callable(a)) or OTHER

    return handler


def _scan(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    function, init, xs = args.get(0, "f"), args.get(1, "init"), args.get(2, "xs")
    items = elements(m, reader, xs) if carried(m, reader, xs) else OTHER
    carry, ys = init, NOTHING
    for _ in range(3):
        result = _invoke_all(m, reader, node, function, _plain(carry, items))
        pairs = [a for a in result if isinstance(a, TupleOf) and len(a.items) == 2]
        grown = join(carry, *(p.items[0] for p in pairs))
        ys = join(ys, *(p.items[1] for p in pairs))
        if grown == carry:
            break
        carry = grown
    return one(TupleOf((carry, ys or OTHER)))


def _fold(
    body: int, init: int, before: int
) -> Callable[[Machine, Frame, t.Expression, Args], Value]:
    def handler(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
        carry = args.get(init, "init_val")
        for _ in range(3):
            front = [OTHER] * before
            grown = join(
                carry,
                _invoke_all(m, reader, node, args.get(body, "body_fun"), _plain(*front, carry)),
            )
            if not before:
                _invoke_all(m, reader, node, args.get(0, "cond_fun"), _plain(carry))
            if grown == carry:
                break
            carry = grown
        return carry

    return handler


def _cond(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    given = [v for v, _ in args.positional]
    if (
        len(given) == 5 and not functions_in(given[1]) and functions_in(given[2])
    ):  # pred, x, f, y, g
        left = _invoke_all(m, reader, node, given[2], _plain(given[1]))
        return join(left, _invoke_all(m, reader, node, given[4], _plain(given[3])))
    operands = given[3:] or [v for k, (v, _) in args.keywords.items() if k == "operand"]
    branches = [args.get(1, "true_fun"), args.get(2, "false_fun")]
    return join(*(_invoke_all(m, reader, node, b, _plain(*operands)) for b in branches))


def _switch(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    operands = [v for v, _ in args.positional[2:]]
    return _invoke_all(
        m, reader, node, elements(m, reader, args.get(1, "branches")), _plain(*operands)
    )


def _map(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    items = [elements(m, reader, v) for v, _ in args.positional[1:]]
    m.store(node.id, "*", _invoke_all(m, reader, node, args.get(0), _plain(*items)))
    return one(Container(node.id, "list"))


def _eval_shape(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    return _invoke_all(m, reader, node, args.get(0), args.after(1)) or OTHER


def _zip(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    m.store(
        node.id,
        "*",
        one(TupleOf(tuple(elements(m, reader, v) or OTHER for v, _ in args.positional))),
    )
    return one(Container(node.id, "list"))


def _enumerate(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    m.store(node.id, "*", one(TupleOf((OTHER, elements(m, reader, args.get(0)) or OTHER))))
    return one(Container(node.id, "list"))


def _next(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    return join(elements(m, reader, args.get(0)), *(v for v, _ in args.positional[1:]))


def _dict(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    for value, _ in args.positional:
        for atom in value:
            if isinstance(atom, Container) and atom.kind == "dict":
                m.load_all(reader, atom.site)
                for key in m.fields(atom.site):
                    m.store(node.id, key, m.load(reader, atom.site, key))
            else:
                pairs = elements(m, reader, one(atom))
                m.store(node.id, "*", item(m, reader, pairs, one(Literal(1)), False, node.id))
    for key, (value, _) in args.keywords.items():
        m.store(node.id, key, value)
    m.store(node.id, "*", args.keyword_rest)
    return one(Container(node.id, "dict"))


def _getattr(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    names = [a.value for a in args.get(1) if isinstance(a, Literal) and isinstance(a.value, str)]
    base = args.get(0)
    if any(isinstance(a, External) and a.name.startswith("flax.optim") for a in base):
        m.dynamic[node.id] = "getattr"
        return one(OptimizerClass("*", lookup=node.id))
    if names and len(names) == len(args.get(1)):
        found = [attribute(m, reader, atom, name, node.id) for atom in base for name in names]
        return join(*found, *(v for v, _ in args.positional[2:]))
    return escape(m, reader, node, "getattr", Args([(base, 0)]))


def _type(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    """`type(record)`: the class, which may be called for another record."""
    classes = frozenset(ClassRef(a.class_) for a in args.get(0) if isinstance(a, Instance))
    return classes if len(args.positional) == 1 and classes else OTHER


def _setattr(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    for atom in args.get(1):
        if isinstance(atom, Literal) and isinstance(atom.value, str):
            store_attribute(m, reader, args.get(0), atom.value, args.get(2), node.id)
        else:
            return escape(m, reader, node, "setattr", args)
    return one(Literal(None))


def _replace(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    for atom in args.get(0):
        if isinstance(atom, Instance):
            for name, (value, id_) in args.keywords.items():
                m.store(family(m, atom.class_), name, value)
                m.bindings.setdefault(id_, {})[atom.class_, name] = None
    return args.get(0)


def _to_state_dict(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    found = carried(m, reader, args.get(0), instances=True)
    return one(Serialized(node.id)) if any(not isinstance(a, Definition) for a in found) else OTHER


def _wraps(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    return one(External("identity"))


def _cast(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    return args.get(1) or OTHER


def _flatten(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    return one(TupleOf((OTHER, OTHER)))


def _app_run(m: Machine, reader: Frame, node: t.Expression, args: Args) -> Value:
    call_back(m, reader, node, args)
    return OTHER


_Handler = Callable[[Machine, Frame, t.Expression, Args], Value]
_HANDLERS: dict[str, _Handler] = {
    "jax.grad": _grad(False),
    "jax.value_and_grad": _grad(True),
    "jax.lax.scan": _scan,
    "flax.jax_utils.scan_in_dim": _scan,
    "jax.lax.while_loop": _fold(1, 2, 0),
    "jax.lax.fori_loop": _fold(2, 3, 1),
    "jax.lax.cond": _cond,
    "jax.lax.switch": _switch,
    "jax.lax.map": _map,
    "builtins.map": _map,
    "jax.eval_shape": _eval_shape,
    "builtins.zip": _zip,
    "builtins.enumerate": _enumerate,
    "builtins.next": _next,
    "builtins.dict": _dict,
    "flax.core.FrozenDict": _dict,
    "flax.core.frozen_dict.FrozenDict": _dict,
    "collections.OrderedDict": _dict,
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.type": _type,
    "dataclasses.replace": _replace,
    "flax.serialization.to_state_dict": _to_state_dict,
    "functools.wraps": _wraps,
    "typing.cast": _cast,
    "jax.tree_util.tree_flatten": _flatten,
    "jax.tree_flatten": _flatten,
    "jax.tree.flatten": _flatten,
    "absl.app.run": _app_run,
}
