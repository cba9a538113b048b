"""Runs a function of the program that a clip calls: its arguments, and the plain statements of its body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.infer.values import External
from flax2optax.codemod.plan.clip_library import OPERATORS
from flax2optax.codemod.plan.clip_model import NotUnderstood, Op, sequence
from flax2optax.codemod.plan.clip_places import target_names
from flax2optax.codemod.plan.clip_scope import Env

if TYPE_CHECKING:
    from flax2optax.codemod.plan.clip_reading import Reading

MAX_DEPTH = 12
Names = dict[str, object]


def call_helper(
    reading: Reading,
    function: t.Function,
    values: tuple[object, ...],
    keywords: Mapping[str, object],
) -> object:
    """What a function of the program returns."""
    if function.generator or function.is_async or function.owner is not None:
        raise NotUnderstood
    if reading.depth >= MAX_DEPTH or not all(_is_jit(reading, d) for d in function.decorators):
        raise NotUnderstood
    reading.helpers[function.id] = function
    env = Env({}, None, function)
    names = arguments(reading, function, values, keywords)
    reading.depth += 1
    try:
        if function.value is not None:
            return reading.eval(function.value, env.with_names(names))
        return _body(reading, function, names, env)
    finally:
        reading.depth -= 1


def _is_jit(reading: Reading, decorator: t.Expression) -> bool:
    """`@jax.jit`, `@functools.partial(jax.jit, …)`: any other decorator may change what the function does."""
    if isinstance(decorator, t.Call) and decorator.args:
        name = _external(reading, decorator.func)
        return name == "functools.partial" and _is_jit(reading, decorator.args[0].value)
    return _external(reading, decorator) in ("jax.jit", "jax.api.jit")


def _external(reading: Reading, node: t.Expression) -> str:
    value = reading.facts.value(node.id)
    return next((a.name for a in value if isinstance(a, External) and len(value) == 1), "")


def arguments(
    reading: Reading,
    function: t.Function,
    values: tuple[object, ...],
    keywords: Mapping[str, object],
) -> Names:
    """The arguments of a call by parameter, with the defaults."""
    rest, given = list(values), dict(keywords)
    found: Names = {}
    for parameter in function.parameters:
        if parameter.kind not in ("positional", "positional_only", "keyword"):
            raise NotUnderstood
        if rest and parameter.kind != "keyword":
            found[parameter.name] = rest.pop(0)
        elif parameter.name in given:
            found[parameter.name] = given.pop(parameter.name)
        elif parameter.default is not None:
            outer = function.parent or function.module
            found[parameter.name] = reading.eval(parameter.default, Env({}, None, outer))
        else:
            raise NotUnderstood
    if rest or given:
        raise NotUnderstood
    return found


def _body(reading: Reading, function: t.Function, names: Names, env: Env) -> object:
    result = _run(reading, function.body, names, env)
    return None if result is None else result[0]


def _run(
    reading: Reading, body: tuple[t.Statement, ...], names: Names, env: Env
) -> tuple[object] | None:
    """Run a block; a tuple of one is what it returns."""
    for statement in body:
        done = _statement(reading, statement, names, env)
        if done is not None:
            return done
    return None


def _statement(
    reading: Reading, statement: t.Statement, names: Names, env: Env
) -> tuple[object] | None:
    here = env.with_names(names)
    match statement:
        case t.Return(value=value):
            return (reading.eval(value, here) if value is not None else None,)
        case t.Assign(targets=(target,), value=value):
            _assign(target, reading.eval(value, here), names)
        case t.AugAssign(target=t.Name(name=name), operator="+", value=value):
            names[name] = OPERATORS["+"](here.names.get(name), reading.eval(value, here))
        case t.Evaluate(values=(t.Constant(),)) | t.Jump(kind="pass"):
            pass
        case t.Define(definition=t.Function() as function) if not function.decorators:
            names[function.name] = _local(reading, function, names, env)
        case t.If(test=test, body=yes, orelse=no):
            return _run(reading, yes if reading.decided(test, here) else no, names, env)
        case t.For(target=t.Name(name=name), iterable=iterable, body=inner, orelse=()):
            return _loop(reading, name, sequence(reading.eval(iterable, here)), inner, names, env)
        case _:
            raise NotUnderstood
    return None


def _loop(
    reading: Reading,
    name: str,
    items: list[object],
    body: tuple[t.Statement, ...],
    names: Names,
    env: Env,
) -> tuple[object] | None:
    for item in items:
        names[name] = item
        done = _run(reading, body, names, env)
        if done is not None:
            return done
    return None


def _assign(target: t.Expression, value: object, names: Names) -> None:
    targets = target_names(target)
    if isinstance(target, t.Name):
        names[target.name] = value
    elif targets and len(values := sequence(value)) == len(targets):
        names.update((n.name, v) for n, v in zip(targets, values, strict=True))
    else:
        raise NotUnderstood


def _local(reading: Reading, function: t.Function, names: Names, env: Env) -> Op:
    """A function inside a helper; it sees the helper's names as they are when it is called."""

    def run(*values: object, **keywords: object) -> object:
        inner = {**names, **arguments(reading, function, values, keywords)}
        return _body(reading, function, inner, env)

    return run
