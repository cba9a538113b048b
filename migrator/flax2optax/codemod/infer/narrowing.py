"""What a test tells of the names in it: `isinstance(x, dict)` is never true of an optimizer."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.machine import Machine
from flax2optax.codemod.infer.scope import Env
from flax2optax.codemod.infer.values import (
    Array,
    Atom,
    Bound,
    Container,
    Definition,
    External,
    FunctionRef,
    Literal,
    Optimizer,
    OptimizerClass,
    Other,
    Part,
    TupleOf,
    Value,
    one,
)

# Classes that neither an optimizer nor what becomes of it is, nor any part of it but its params.
_MAPPINGS = frozenset({
    "builtins.dict", "collections.OrderedDict", "collections.abc.Mapping", "collections.abc.MutableMapping",
    "flax.core.FrozenDict", "flax.core.frozen_dict.FrozenDict", "jax.experimental.maps.FrozenDict",
})  # fmt: skip
_PLAIN = _MAPPINGS | {
    "builtins.list", "builtins.set", "builtins.frozenset", "builtins.str", "builtins.bytes", "builtins.int",
    "builtins.float", "builtins.bool", "builtins.complex", "collections.abc.Iterable", "numpy.ndarray",
    "jax.numpy.ndarray", "jax.Array",
}  # fmt: skip
_TUPLES = frozenset({"builtins.tuple", "collections.abc.Sequence", "typing.Sequence"})
_NONE = one(Literal(None))
_OPTIMIZER = OptimizerClass("Optimizer")
_NO_OPTIMIZER = (Array, Bound, Container, Definition, FunctionRef, Literal, Other, Part, TupleOf)


Narrowed = dict[str, tuple[Value, Value]]


def narrow(m: Machine, env: Env, test: t.Expression, holds: bool) -> Narrowed:
    """Take from local names what a test that holds, or does not, excludes; by name, what it held and holds now."""
    from flax2optax.codemod.infer.expressions import evaluate

    match test:
        case t.Operation(operator="not", operands=(inner,)):
            return narrow(m, env, inner, not holds)
        case t.Operation(operator=("and" | "or") as operator, operands=operands):
            if holds == (operator == "and"):
                found: Narrowed = {}
                for operand in operands:
                    found = _after(found, narrow(m, env, operand, holds))
                return found
        case t.Call(func=func, args=(t.Argument(value=t.Name(name=name)), of)) if name in env.vars:
            if evaluate(m, env, func) == one(External("builtins.isinstance")):
                old = env.vars[name]
                env.vars[name] = new = _left(old, evaluate(m, env, of.value), holds)
                return {name: (old, new)}
    return {}


def decided(m: Machine, env: Env, test: t.Expression) -> bool | None:
    """Whether a local name is None or a certain word, where that is known."""
    match test:
        case t.Operation(operator=operator, operands=(t.Name(name=name) as asked, of)):
            if not _is_local(m, env, name):
                return None
            if operator in ("is", "is not") and isinstance(of, t.Constant) and of.value is None:
                return operator == "is" if env.vars.get(name) == _NONE else None
            if operator in ("==", "!="):
                held, words = _words(m, env, asked), _words(m, env, of)
                if held and words and (len(held) == len(words) == 1 or not held & words):
                    return (held == words) == (operator == "==")
    return None


def _is_local(m: Machine, env: Env, name: str) -> bool:
    """Whether nothing but what is seen gives a name its value: a decorator may give parameters others."""
    function = env.frame.function
    if function is None or name not in function.locals or name in _bound_elsewhere(m, env):
        return False
    given = any(parameter.name == name for parameter in function.parameters)
    if not given:
        return True
    modules = {alias.name for one_ in env.frame.module.imports for alias in one_.aliases}
    unseen = m.load(env.frame, ("foreign", function.id), "*")  # a library calls it, perhaps
    return not (unseen or function.decorators or "gin" in modules)


def _words(m: Machine, env: Env, node: t.Expression) -> set[str]:
    """The words that an expression may be; none where it may be anything else."""
    from flax2optax.codemod.infer.expressions import evaluate

    value = evaluate(m, env, node)
    words = {a.value for a in value if isinstance(a, Literal) and isinstance(a.value, str)}
    return words if len(words) == len(value) else set()


def widen(env: Env, narrowed: Narrowed) -> None:
    """Give names back what was taken from them, unless they have been bound anew."""
    for name, (old, new) in narrowed.items():
        if env.vars.get(name) is new:
            env.vars[name] = old


def excluded(m: Machine, env: Env, narrowed: Narrowed) -> bool:
    """Whether a test cannot hold, because a name holds nothing else than what it excludes."""
    return any(
        old and not new and name not in _bound_elsewhere(m, env)
        for name, (old, new) in narrowed.items()
    )


def _bound_elsewhere(m: Machine, env: Env) -> set[str]:
    """The names of a file that functions bind for others, by `nonlocal` or `global`."""
    module = env.frame.module
    found = m.outer_names.get(module.path)
    if found is None:
        found = m.outer_names[module.path] = {n for f in module.functions for n in f.outer}
    return found


def _after(first: Narrowed, second: Narrowed) -> Narrowed:
    """What two tests in a row have taken."""
    twice = {name: (first[name][0], new) for name, (_, new) in second.items() if name in first}
    return {**first, **second, **twice}


def _left(value: Value, asked: Value, holds: bool) -> Value:
    """What is left of a value of which it is known whether it is of one of the classes asked for."""
    surely, classes = classes_asked(asked)
    if not holds:
        told = _OPTIMIZER in surely
        return frozenset(a for a in value if not (told and isinstance(a, Optimizer)))
    names = {c.name for c in classes if isinstance(c, External)}
    if classes and len(names) == len(classes) and names <= _PLAIN | _TUPLES:
        mapping = names <= _MAPPINGS
        return frozenset(
            a for a in value if not (_is_flax(a, names) or (mapping and _is_no_mapping(a)))
        )
    if classes == {_OPTIMIZER}:
        return frozenset(a for a in value if not isinstance(a, _NO_OPTIMIZER)) or value
    return value


def classes_asked(asked: Value) -> tuple[set[Atom], set[Atom]]:
    """The classes that are asked for whichever alternative it is, and all that may be."""
    if any(isinstance(a, TupleOf) for a in asked):
        items = [item for a in asked for item in (a.items if isinstance(a, TupleOf) else (one(a),))]
    else:
        items = [asked]
    surely = {a for item in items for a in item if len(item) == len(asked) == 1}
    return surely, {a for item in items for a in item}


def _is_no_mapping(atom: Atom) -> bool:
    if isinstance(atom, Container):
        return atom.kind in ("list", "set", "iterator")
    return isinstance(atom, Array | Bound | FunctionRef | Literal | TupleOf)


def _is_flax(atom: Atom, names: set[str]) -> bool:
    """Whether an atom is none of such classes, before and after."""
    if isinstance(atom, Optimizer):
        return True
    part = isinstance(atom, Part) and atom.kind in ("state", "param_states")
    other = isinstance(atom, Definition) or part
    return other and not names & _TUPLES and "collections.abc.Iterable" not in names
