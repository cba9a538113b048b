"""What an expression may hold: a value is a set of atoms, joined by union.

The empty set is "never reached". `Other` is anything that cannot be or contain an optimizer.
An atom that names an optimizer carries its *site*: the id of the expression that made it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flax2optax.codemod.index.tree import NodeId


@dataclass(frozen=True, slots=True)
class Atom:
    """One alternative of a value."""


Value = frozenset[Atom]


@dataclass(frozen=True, slots=True)
class Other(Atom):
    """An ordinary value: an array, a number, a model, what a library returned."""


@dataclass(frozen=True, slots=True)
class Array(Other):
    """An array for certain: params that are one array need the update spelled out."""


@dataclass(frozen=True, slots=True)
class Numbers(Array):
    """The numbers of a `range`."""


@dataclass(frozen=True, slots=True)
class Made(Other):
    """What a function of a file that is not read into returned: a function or an object of that file, perhaps."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal(Atom):
    """A constant that may choose a key, an attribute or an argument number."""

    value: str | int | bool | None


@dataclass(frozen=True, slots=True)
class Unknown(Atom):
    """It may be or contain an optimizer: an optimizer went into code that cannot be seen."""


@dataclass(frozen=True, slots=True)
class Free(Atom):
    """A parameter of a function nobody calls, or an attribute path from one ('state.optimizer')."""

    function: NodeId
    path: str


@dataclass(frozen=True, slots=True)
class External(Atom):
    """A library object by its dotted name, e.g. 'jax.jit'."""

    name: str


@dataclass(frozen=True, slots=True)
class ModuleRef(Atom):
    """A module of the program, by path."""

    path: str


@dataclass(frozen=True, slots=True)
class FunctionRef(Atom):
    """A function of the program and the frame it was defined in."""

    function: NodeId
    frame: int


@dataclass(frozen=True, slots=True)
class ClassRef(Atom):
    """A class of the program."""

    class_: NodeId


@dataclass(frozen=True, slots=True)
class Instance(Atom):
    """An object of one of the program's classes; its fields live in the heap, one cell per class family."""

    class_: NodeId


@dataclass(frozen=True, slots=True)
class Bound(Atom):
    """A method of the program bound to its object."""

    function: FunctionRef
    self_: Atom


@dataclass(frozen=True, slots=True)
class Attr(Atom):
    """An attribute of an atom whose meaning is known only when it is called: `optimizer.apply_gradient`."""

    of: Atom
    name: str


@dataclass(frozen=True, slots=True)
class Partial(Atom):
    """`functools.partial(function, *args, **kwargs)`, made at `site`."""

    function: Atom
    args: tuple[Value, ...]
    kwargs: tuple[tuple[str, Value], ...]
    site: NodeId


@dataclass(frozen=True, slots=True)
class Transformed(Atom):
    """A function under a transformation that keeps its signature and result (`jit`, `pmap`, …), made at `site`."""

    kind: str
    function: Atom
    site: NodeId


@dataclass(frozen=True, slots=True)
class Gradient(Atom):
    """`grad(f)` or `value_and_grad(f)`; `has_aux` as in JAX, `chosen` if `argnums` says with respect to what."""

    function: Atom
    with_value: bool
    has_aux: bool
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class TupleOf(Atom):
    """A tuple of known length."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Container(Atom):
    """A list, dict, set or iterator made at `site`; its contents live in the heap."""

    site: NodeId
    kind: str


@dataclass(frozen=True, slots=True)
class OptimizerClass(Atom):
    """A class of flax.optim by name; a program's own subclass of OptimizerDef has `class_`.

    One that is looked up by a computed name is called '*', and `lookup` is the expression that does it.
    """

    name: str
    class_: NodeId = 0
    lookup: NodeId = 0


@dataclass(frozen=True, slots=True)
class Definition(Atom):
    """An optimizer definition (`flax.optim.Adam(...)`)."""

    site: NodeId


@dataclass(frozen=True, slots=True)
class Optimizer(Atom):
    """An optimizer (`definition.create(params)`)."""

    site: NodeId


@dataclass(frozen=True, slots=True)
class Part(Atom):
    """A part of an optimizer: 'target', 'state', 'step', 'param_states', 'hyper_params'."""

    kind: str
    site: NodeId


@dataclass(frozen=True, slots=True)
class Serialized(Atom):
    """What `to_state_dict` returns for a tree with an optimizer in it."""

    site: NodeId


OTHER: Value = frozenset({Other()})
NOTHING: Value = frozenset()
UNKNOWN: Value = frozenset({Unknown()})
MAX_DEPTH = 5
MAX_ATOMS = 48
MAX_LITERALS = 8


def one(atom: Atom) -> Value:
    """The value that can only be `atom`."""
    return frozenset((atom,))


def join(*values: Value) -> Value:
    """Union; tuples of one length become one tuple of joined items."""
    largest = NOTHING
    for value in values:
        if value is largest or value <= largest:
            continue
        if not largest <= value:
            return _normal(frozenset().union(*values))
        largest = value
    return largest


def _normal(value: Value) -> Value:
    tuples: dict[int, list[TupleOf]] = {}
    literals, nested = 0, False
    for atom in value:
        if isinstance(atom, TupleOf):
            tuples.setdefault(len(atom.items), []).append(atom)
        elif isinstance(atom, Literal):
            literals += 1
        elif isinstance(atom, Partial):
            nested = True
    for same in tuples.values():
        if len(same) > 1:
            items = tuple(join(*column) for column in zip(*(t.items for t in same), strict=True))
            value = (value - set(same)) | {TupleOf(items)}
    if literals > MAX_LITERALS:
        value = frozenset(a for a in value if not isinstance(a, Literal)) | OTHER
    deep = (nested or tuples) and depth(value) > MAX_DEPTH
    return flat(value) if deep or len(value) > MAX_ATOMS else value


def depth(value: Value) -> int:
    """How deep tuples and partials nest."""
    deepest = 0
    for atom in value:
        if isinstance(atom, TupleOf):
            deepest = max(deepest, 1 + max(map(depth, atom.items), default=0))
        elif isinstance(atom, Partial):
            deepest = max(deepest, 1 + max(map(depth, atom.args), default=0))
    return deepest


def flat(value: Value) -> Value:
    """Widening: what is nested too deep is no longer told apart."""
    found = set(leaves(value))
    kept = {a for a in found if not isinstance(a, TupleOf | Partial)}
    return frozenset(kept) | UNKNOWN


def leaves(value: Value) -> Iterable[Atom]:
    """Every atom in a value, those inside tuples and partials too (not the heap's)."""
    for atom in value:
        yield atom
        if isinstance(atom, TupleOf):
            for item in atom.items:
                yield from leaves(item)
        elif isinstance(atom, Partial):
            yield from leaves(one(atom.function))
            for item in (*atom.args, *(v for _, v in atom.kwargs)):
                yield from leaves(item)
        elif isinstance(atom, Transformed | Gradient):
            yield from leaves(one(atom.function))


HOLDING = frozenset({
    Optimizer, Definition, Part, Container, Instance, TupleOf, Partial, Transformed, Gradient,
})  # fmt: skip


def may_hold(value: Value) -> bool:
    """Whether an optimizer, or anything that may have one inside, is in a value."""
    return not HOLDING.isdisjoint(map(type, value))


def unwrapped(atom: Atom) -> Atom:
    """The callable inside of partial applications, transformations and gradients."""
    while isinstance(atom, Partial | Transformed | Gradient):
        atom = atom.function
    return atom


def shape(value: Value, levels: int = 2) -> object:
    """What kind of value it is, with the sites of optimizers left out: the key of a function's summaries."""
    kinds = {_shape(atom, levels) for atom in value}
    return frozenset(kinds - {None})


def _shape(atom: Atom, levels: int) -> object:
    match atom:
        case Optimizer() | Definition():
            return type(atom)
        case Part(kind=kind):
            return kind
        case FunctionRef(function=id_) | ClassRef(class_=id_) | Instance(class_=id_):
            return id_
        case Bound(function=function):
            return function.function
        case Transformed(function=inner) | Gradient(function=inner) | Partial(function=inner):
            return (type(atom), _shape(inner, levels))
        case TupleOf(items=items) if levels:
            return tuple(shape(item, levels - 1) for item in items)
        case Container(site=site):
            return site
        case OptimizerClass(name=name):
            return name
        case Literal(value=bool() | None as value):
            return repr(value)
        case External(name=name):
            return name
    return None


@dataclass(frozen=True, slots=True)
class Super(Atom):
    """`super()`: attribute look-up that starts after `class_`."""

    class_: NodeId
    self_: Atom
