"""Statements: how values flow from line to line, through branches and loops, into fields and results."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.infer.absent import seen_bases
from flax2optax.codemod.infer.containers import elements, grow, shuffle, store_item, unpack
from flax2optax.codemod.infer.expressions import call_value, combined, evaluate
from flax2optax.codemod.infer.library import seen_into
from flax2optax.codemod.infer.liveness import carried_over
from flax2optax.codemod.infer.machine import Frame, Machine
from flax2optax.codemod.infer.objects import (
    bind_methods,
    carried,
    class_member,
    store_attribute,
)
from flax2optax.codemod.infer.scope import Env, imported, merged
from flax2optax.codemod.infer.values import (
    NOTHING,
    OTHER,
    Bound,
    ClassRef,
    Container,
    External,
    FunctionRef,
    Instance,
    Literal,
    Made,
    Partial,
    Value,
    join,
    one,
)

MAX_LOOPS = 6
TRANSPARENT = frozenset({"builtins.property", "builtins.staticmethod", "builtins.classmethod"})


def run_frame(m: Machine, frame: Frame) -> None:
    """Execute a module's or function's body once."""
    env = Env(frame, dict(frame.parameters))
    function = frame.function
    if function is None:
        branch(m, env, frame.module.body)
    elif function.value is not None:
        m.finish(frame, evaluate(m, env, function.value))
    else:
        branch(m, env, function.body)
        if not env.dead:
            m.finish(frame, one(Literal(None)))


def execute(m: Machine, env: Env, statement: t.Statement) -> None:
    """Execute one statement."""
    match statement:
        case t.Assign(targets=targets, value=value):
            found = evaluate(m, env, value)
            for target in targets:
                assign(m, env, target, found)
        case t.Evaluate(kind=kind, values=values):
            for value in values:
                evaluate(m, env, value)
            env.dead = env.dead or kind == "raise"
        case t.Return(value=value):
            found = evaluate(m, env, value) if value is not None else one(Literal(None))
            m.finish(env.frame, found)
            if env.frame.function is not None and env.frame.function.generator:
                m.store(("returned", env.frame.function.id), "*", found)
            env.dead = True
        case t.AnnAssign(target=target, annotation=annotation, value=value):
            evaluate(m, env, annotation)
            if value is not None:
                assign(m, env, target, evaluate(m, env, value))
        case t.AugAssign():
            augment(m, env, statement)
        case t.Define(definition=t.Function() as function):
            define_function(m, env, function)
        case t.Define(definition=t.Class() as class_):
            define_class(m, env, class_)
        case t.Import():
            for name, named, id_ in imported(m, env, statement):
                m.record(id_, named)
                bind(m, env, name, named)
        case t.Delete(targets=targets):
            for target in targets:
                evaluate(m, env, target)
                if isinstance(target, t.Subscript):  # what stands behind an item moves up
                    for atom in evaluate(m, env, target.value):
                        if isinstance(atom, Container) and atom.kind == "list":
                            shuffle(m, env.frame, atom.site)
        case t.Jump(kind=kind):
            if kind != "pass":
                if (
                    env.breaks is not None
                ):  # what `continue` leaves reaches the end of the loop, too
                    env.breaks.append(dict(env.vars))
                env.dead = kind in ("break", "continue")
        case _:
            compound(m, env, statement)


def compound(m: Machine, env: Env, statement: t.Statement) -> None:
    """Execute a statement that has blocks."""
    match statement:
        case t.If(test=test, body=body, orelse=orelse):
            evaluate(m, env, test)
            yes, no = env.fork(), env.fork()
            branch(m, yes, body)
            branch(m, no, orelse)
            env.merge(yes, no)
        case t.For(target=target, iterable=iterable, body=body, orelse=orelse):
            found = elements(m, env.frame, evaluate(m, env, iterable))
            loop(m, env, target, found, body)
            otherwise(m, env, orelse)
        case t.While(test=test, body=body, orelse=orelse):
            evaluate(m, env, test)
            loop(m, env, None, NOTHING, body, test)
            otherwise(m, env, orelse)
        case t.With(items=items, body=body):
            for context, bound in items:
                entered = evaluate(m, env, context)
                entered = enter(m, env, entered)
                if bound is not None:
                    assign(m, env, bound, entered)
            branch(m, env, body)
        case t.Try():
            try_(m, env, statement)
        case t.Match(subject=subject, cases=cases):
            value = evaluate(m, env, subject)
            parts = join(value, frozenset(carried(m, env.frame, value, instances=True)))
            branches = [env.fork()]
            for names, guard, body in cases:
                arm = env.fork()
                for name in names:
                    bind(m, arm, name, parts)
                if guard is not None:
                    evaluate(m, arm, guard)
                branch(m, arm, body)
                branches.append(arm)
            env.merge(*branches)


def branch(m: Machine, env: Env, body: tuple[t.Statement, ...]) -> None:
    """Execute a block in `env` itself. Code after a return is read too, so that nothing in it goes unnoticed."""
    for statement in body:
        if env.dead:
            after = env.fork()
            after.dead = False
            execute(m, after, statement)
        else:
            execute(m, env, statement)


def loop(
    m: Machine,
    env: Env,
    target: t.Expression | None,
    item: Value,
    body: tuple[t.Statement, ...],
    test: t.Expression | None = None,
) -> None:
    """Run a loop's body until its names hold nothing new."""
    before = dict(env.vars)
    again = carried_over(m, target, body, test)
    for _ in range(MAX_LOOPS):
        inner = Env(env.frame, dict(env.vars), env.class_, env.class_names, False, [])
        if target is not None:
            assign(m, inner, target, item)
        branch(m, inner, body)
        if test is not None:
            evaluate(m, inner, test)
        assert inner.breaks is not None
        after = merged([before, env.vars, inner.vars, *inner.breaks])
        settled = all(after.get(name) == env.vars.get(name) for name in again)
        env.vars = after
        if settled:
            break


def otherwise(m: Machine, env: Env, orelse: tuple[t.Statement, ...]) -> None:
    """The `else` of a loop, which what left it by `break` does not run."""
    if orelse:
        left, arm = env.fork(), env.fork()
        branch(m, arm, orelse)
        env.merge(left, arm)


def try_(m: Machine, env: Env, statement: t.Try) -> None:
    """A handler may start from any point of the body."""
    body = env.fork()
    branch(m, body, statement.body)
    met = merged([env.vars, body.vars, _ever(env.frame, statement.body)])
    start = Env(env.frame, met, env.class_, env.class_names, False, env.breaks)
    branches = []
    for type_, name, handler in statement.handlers:
        arm = start.fork()
        if type_ is not None:
            evaluate(m, arm, type_)
        if name is not None:
            bind(m, arm, name, OTHER)
        branch(m, arm, handler)
        branches.append(arm)
    branch(m, body, statement.orelse)
    branch(m, start.fork(), statement.final)
    env.merge(body, *branches)
    branch(m, env, statement.final)


def _ever(frame: Frame, body: tuple[t.Statement, ...]) -> dict[str, Value]:
    """Every value that the names assigned in a block ever hold: it may be left at any point."""
    names = {
        node.name
        for statement, _ in walk(body)
        if isinstance(statement, t.Assign | t.AugAssign | t.AnnAssign | t.For)
        for node, _ in walk(
            statement.targets if isinstance(statement, t.Assign) else (statement.target,)
        )
        if isinstance(node, t.Name)
    }
    return {name: frame.variables[name] for name in names if name in frame.variables}


def enter(m: Machine, env: Env, context: Value) -> Value:
    """What `with` binds: the result of `__enter__`, or what a generator of `contextlib` yields."""
    found = NOTHING
    for atom in context:
        if isinstance(atom, Instance) and (
            method := class_member(m, env.frame, atom.class_, "__enter__")
        ):
            bound = bind_methods(m, method, atom)
            found = join(found, m.call_bound(env.frame, 0, bound))
        elif isinstance(atom, Container) and atom.kind == "iterator":
            found = join(found, elements(m, env.frame, one(atom)))
        else:
            found = join(found, one(atom))
    return found


def augment(m: Machine, env: Env, statement: t.AugAssign) -> None:
    """`target += value`: what is mutable gets the new items, too."""
    old, new = evaluate(m, env, statement.target), evaluate(m, env, statement.value)
    result = combined(m, env.frame, statement.id, statement.operator, [old, new])
    for atom in old:
        if isinstance(atom, Container):
            grow(m, env.frame, atom, new)
    assign(m, env, statement.target, join(old, new) if result == OTHER else join(old, result))


def bind(m: Machine, env: Env, name: str, value: Value) -> None:
    """Give a name a value, here and for every closure."""
    if env.class_ is not None:
        env.vars[name] = value
        env.class_names.add(name)
        m.store(("class", env.class_.id), name, value)
        return
    function = env.frame.function
    if function is not None and name in function.outer:
        outer = env.frame.parent
        while (
            outer is not None and outer.function is not None and name not in outer.function.locals
        ):
            outer = outer.parent
        holder = outer if outer is not None else m.module_frame(env.frame.module.path)
        m.assign(holder, name, value)
        return
    env.vars[name] = value
    m.assign(env.frame, name, value)


def assign(m: Machine, env: Env, target: t.Expression, value: Value) -> None:
    """Assign to a name, attribute, subscript or pattern."""
    m.record(target.id, value)
    match target:
        case t.Name(name=name):
            bind(m, env, name, value)
        case t.Attribute(value=base, attr=attr):
            store_attribute(m, env.frame, evaluate(m, env, base), attr, value, target.id)
        case t.Subscript(value=base, indices=indices, sliced=sliced):
            keys = [evaluate(m, env, index) for index in indices]
            key = keys[0] if len(keys) == 1 else OTHER
            store_item(m, env.frame, evaluate(m, env, base), key, value, target.id, sliced)
        case t.Starred(value=inner):
            assign(m, env, inner, value)
        case t.Sequence(elements=targets):
            for inner, item in zip(targets, unpack(m, env.frame, targets, value), strict=True):
                assign(m, env, inner, item)
        case _:
            evaluate(m, env, target)


def define_function(m: Machine, env: Env, function: t.Function) -> None:
    """Bind a def: defaults are evaluated now, decorators applied from the inside out."""
    defaults(m, env, function)
    ref = FunctionRef(function.id, env.frame.index)
    value = one(ref)
    for decorator in reversed(function.decorators):
        wrapper = evaluate(m, env, decorator)
        names = {a.name for a in wrapper if isinstance(a, External | Made)}
        m.want(names)
        if names & TRANSPARENT or any(n.endswith((".setter", ".getter")) for n in names):
            continue
        if any(map(seen_into, wrapper)):
            value = call_value(m, env, decorator, wrapper, [value]) or value
    bind(m, env, function.name, value)


def defaults(m: Machine, env: Env, function: t.Function) -> None:
    """Evaluate a function's defaults and annotations where it is defined."""
    for parameter in function.parameters:
        if parameter.default is not None:
            m.store(("default", function.id), parameter.name, evaluate(m, env, parameter.default))
        if parameter.annotation is not None:
            value = evaluate(m, env, parameter.annotation)
            m.store(("annotation", function.id), parameter.name, value)
    if function.returns is not None:
        evaluate(m, env, function.returns)


def define_class(m: Machine, env: Env, class_: t.Class) -> None:
    """Bind a class: bases now, its body in a scope of its own."""
    for argument in class_.arguments:
        base = evaluate(m, env, argument.value)
        base = seen_bases(m, base)
        m.want(a.name for a in base if isinstance(a, External))
        m.store(("bases", class_.id), argument.id, base)
    inner = Env(env.frame, dict(env.vars), class_, set())
    for statement in class_.body:
        if isinstance(statement, t.AnnAssign) and isinstance(statement.target, t.Name):
            annotation = evaluate(m, inner, statement.annotation)
            m.store(("declared", class_.id), statement.target.name, annotation or OTHER)
            m.field_sites[class_.id, statement.target.name] = statement.target.id
            if statement.value is not None:
                bind(m, inner, statement.target.name, evaluate(m, inner, statement.value))
        else:
            execute(m, inner, statement)
    value = one(ClassRef(class_.id))
    for hook in class_member(m, env.frame, class_.id, "__init_subclass__", after=True):
        call_value(m, env, t.Expression(0), one(hook), [value])
    for decorator in reversed(class_.decorators):
        wrapper = evaluate(m, env, decorator)
        m.want(a.name for a in wrapper if isinstance(a, External | Made))
        if any(isinstance(a, FunctionRef | Bound | Partial) for a in wrapper):
            value = call_value(m, env, decorator, wrapper, [value]) or value
    bind(m, env, class_.name, value)
