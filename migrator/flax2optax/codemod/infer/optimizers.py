"""flax.optim's own objects: constructors, `create`, and the methods of definitions and optimizers."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.calls import Args, escape
from flax2optax.codemod.infer.library import invoke
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import carried, optimizer_base
from flax2optax.codemod.infer.scope import Env
from flax2optax.codemod.infer.values import (
    OTHER,
    Attr,
    Definition,
    Optimizer,
    OptimizerClass,
    Part,
    Serialized,
    TupleOf,
    Value,
    join,
    one,
)


def construct(
    m: Machine, reader: Frame, node: t.Expression, atom: OptimizerClass, args: Args
) -> Value:
    """Call a class of flax.optim."""
    m.definitions[node.id] = join(m.definitions.get(node.id, frozenset()), one(atom))
    if atom.name == "Optimizer":
        definitions = args.get(0, "optimizer_def")
        m.store(
            ("definition", node.id),
            "of",
            frozenset(a for a in definitions if isinstance(a, Definition)),
        )
        return one(Optimizer(node.id))
    if atom.name == "OptimizerState":
        return OTHER if _in_own_class(m, reader) else one(Part("state", node.id))
    inner = _inner_definitions(m, reader, args)
    for definition in inner:
        m.store(("inner", node.id), definition.site, one(definition))
    return one(Definition(node.id))


def _in_own_class(m: Machine, reader: Frame) -> bool:
    """Whether a method of the program's own optimizer makes its next state."""
    method = reader.function.method if reader.function is not None else None
    owner = method.owner if method is not None else None
    return owner is not None and optimizer_base(m, owner.id) is not None


def _inner_definitions(m: Machine, reader: Frame, args: Args) -> list[Definition]:
    """Definitions given to MultiOptimizer or WeightNorm."""
    return [a for a in carried(m, reader, args.all()) if isinstance(a, Definition)]


def optimizer_method(
    m: Machine, reader: Frame, env: Env | None, node: t.Expression, atom: Attr, args: Args
) -> Value:
    """Call a method of an optimizer or a definition."""
    match atom:
        case Attr(of=Definition() as definition, name="create"):
            m.store(("definition", node.id), "of", one(definition))
            return one(Optimizer(node.id))
        case Attr(of=Definition() as definition, name="apply_gradient"):
            return one(TupleOf((OTHER, one(Part("state", definition.site)))))
        case Attr(of=Definition() as definition, name="init_state"):
            return one(Part("state", definition.site))
        case Attr(of=Definition() as definition, name="update_hyper_params"):
            return one(Part("hyper_params", definition.site))
        case Attr(of=Optimizer() as optimizer, name="state_dict"):
            return one(Serialized(optimizer.site))
        case Attr(of=Optimizer() as optimizer, name="compute_gradient" | "compute_gradients"):
            return _compute_gradient(m, reader, node, optimizer, args, ())
        case Attr(of=Optimizer() as optimizer, name="optimize"):
            return _compute_gradient(m, reader, node, optimizer, args, (one(optimizer),))
        case Attr(of=Optimizer() as optimizer):
            return one(optimizer)
        case Attr(of=Part() as part):  # `state.replace(…)`, `param_states.items()`
            return one(part)
    return escape(m, reader, node, f"{atom.name}", args)


def _compute_gradient(
    m: Machine,
    reader: Frame,
    node: t.Expression,
    optimizer: Optimizer,
    args: Args,
    front: tuple[Value, ...],
) -> Value:
    target = one(Part("target", optimizer.site))
    result = join(
        *(invoke(m, reader, node, a, Args([(target, 0)])) for a in args.get(0, "loss_fn"))
    )
    pairs = [a for a in result if isinstance(a, TupleOf) and len(a.items) == 2]
    outputs = (OTHER, join(*(p.items[1] for p in pairs))) if pairs else (OTHER,)
    tail = () if front else (OTHER,)
    return one(TupleOf((*front, *outputs, *tail)))
