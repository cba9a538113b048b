"""Runs the lines of a hand-written clip on model values: the few statements around the step, and the helpers they call.

What is not a clip's arithmetic is a symbol (a threshold) or is not understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.infer.values import Atom, External, FunctionRef, Partial, Transformed
from flax2optax.codemod.plan import clip_library
from flax2optax.codemod.plan.clip_helpers import arguments, call_helper
from flax2optax.codemod.plan.clip_model import Array, NotUnderstood, Op, number, sequence
from flax2optax.codemod.plan.clip_places import Binding, Place, Scope, binding, target_names
from flax2optax.codemod.plan.clip_scope import Env, Key, Symbol, owner

SHOWN = frozenset({"jit", "pjit", "named_call", "checkpoint", "remat"})


@dataclass(slots=True)
class Reading:
    """One run. `cut` gives values by name binding or by node; `numbers` a symbol's; `literals` replace constants."""

    facts: OptimizerFacts
    cut: Mapping[Key, object]
    numbers: Mapping[Key, float] = field(default_factory=dict)
    literals: Mapping[NodeId, float] = field(default_factory=dict)
    symbols: dict[Key, Symbol] = field(default_factory=dict)
    constants: dict[NodeId, float] = field(default_factory=dict)
    statements: dict[NodeId, tuple[t.Assign, Place]] = field(default_factory=dict)
    helpers: dict[NodeId, t.Function] = field(default_factory=dict)
    bindings: dict[tuple[NodeId, str], Binding | None] = field(default_factory=dict)
    branched: bool = False  # a Python `if` was decided by a value
    cast: bool = False  # something was converted to another precision
    depth: int = 0

    # Expressions

    def eval(self, node: t.Expression, env: Env) -> object:
        """The value of an expression."""
        if ("node", node.id) in self.cut:
            return self.cut["node", node.id]
        match node:
            case t.Constant():
                return self._constant(node)
            case t.Name():
                return self._name(node, env)
            case t.Attribute():
                return self._attribute(node, env)
            case t.Operation():
                return self._operation(node, env)
            case t.Call():
                return self._call(node, env)
            case t.Lambda(function=function):
                return self._closure(function, env)
            case t.Sequence(kind=kind, elements=elements) if kind in ("tuple", "list"):
                found = [self.eval(e, env) for e in elements]
                return tuple(found) if kind == "tuple" else found
            case t.Comprehension():
                return self._comprehension(node, env)
            case t.Conditional(test=test, body=body, orelse=orelse):
                return self.eval(body if self.decided(test, env) else orelse, env)
            case t.Subscript(
                value=value, indices=(t.Constant(value=int() as index),), sliced=False
            ):
                return _item(self.eval(value, env), index)
        raise NotUnderstood

    def _constant(self, node: t.Constant) -> object:
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            self.constants[node.id] = float(node.value)
            return self.literals.get(node.id, node.value)
        return node.value

    def _name(self, node: t.Name, env: Env) -> object:
        if node.name in env.names:
            return env.names[node.name]
        if env.place is not None:
            found = self._binding(env.place, node.name)
            if found is not None:
                return self._bound(node, found.key, found.statement, found.place, env)
        function = self._function(node)
        if function is not None:
            return function
        if (
            env.place is None
            and isinstance(env.scope, t.Function)
            and node.name in env.scope.locals
        ):
            raise NotUnderstood
        scope = owner(env.scope, node.name)
        kept = self._function_variable(node, scope)
        if kept is not None:
            return kept
        number_ = scope.id if isinstance(scope, t.Function) else scope.base
        return self._symbol(("free", number_, node.name), node.name, scope)

    def _binding(self, place: Place, name: str) -> Binding | None:
        """What a name means at a place; looked up once per run of samples."""
        where = (place.statement.id if place.path else -1, name)
        if where not in self.bindings:
            self.bindings[where] = binding(place, name)
        return self.bindings[where]

    def _bound(
        self, node: t.Name, key: Key, statement: t.Assign | None, place: Place | None, env: Env
    ) -> object:
        if key in self.cut:
            return self.cut[key]
        function = self._function(node)
        if function is not None:
            return function
        if statement is not None and place is not None:
            try:
                value = self._assigned(statement, node.name, Env({}, place, env.scope))
            except NotUnderstood:
                pass
            else:
                self.statements[statement.id] = (statement, place)
                return value
        return self._symbol(key, node.name, env.scope)

    def _assigned(self, statement: t.Assign, name: str, env: Env) -> object:
        value = self.eval(statement.value, env)
        target = statement.targets[0]
        if isinstance(target, t.Name):
            return value
        names = [n.name for n in target_names(target)]
        values = sequence(value)
        if len(values) != len(names):
            raise NotUnderstood
        return values[names.index(name)]

    def _symbol(self, key: Key, name: str, scope: Scope | None) -> float:
        self.symbols[key] = Symbol(key, name, scope)
        return self.numbers.get(key, 2.0)

    def _attribute(self, node: t.Attribute, env: Env) -> object:
        function = self._function(node)
        if function is not None:
            return function
        root: t.Expression = node
        names: list[str] = []
        while isinstance(root, t.Attribute):
            names.append(root.attr)
            root = root.value
        if not isinstance(root, t.Name) or root.name in env.names:
            raise NotUnderstood
        return self._symbol(("attribute", root.name, *reversed(names)), "", None)

    def _operation(self, node: t.Operation, env: Env) -> object:
        if node.operator in ("is", "is not") and len(node.operands) == 2:
            left, right = (self.eval(o, env) for o in node.operands)
            if right is not None:
                raise NotUnderstood
            return (left is None) == (node.operator == "is")
        values = [self.eval(o, env) for o in node.operands]
        if node.operator == "-" and len(values) == 1:
            return clip_library.OPERATORS["*"](values[0], -1.0)
        if node.operator == "@":
            return clip_library.LIBRARY["jax.numpy.dot"](*values)
        if node.operator not in clip_library.OPERATORS or len(values) != 2:
            raise NotUnderstood
        return clip_library.OPERATORS[node.operator](*values)

    def _comprehension(self, node: t.Comprehension, env: Env) -> list[object]:
        if node.kind not in ("list", "generator") or len(node.generators) != 1:
            raise NotUnderstood
        generator = node.generators[0]
        if generator.conditions or not isinstance(generator.target, t.Name):
            raise NotUnderstood
        values = sequence(self.eval(generator.iterable, env))
        name = generator.target.name
        return [self.eval(node.elements[0], env.with_names({name: value})) for value in values]

    def decided(self, test: t.Expression, env: Env) -> bool:
        """A truth value that chooses what is run."""
        self.branched = True
        value = self.eval(test, env)
        if isinstance(value, bool):
            return value
        return bool(number(value))

    # Calls

    def _call(self, node: t.Call, env: Env) -> object:
        if any(argument.star for argument in node.args):
            raise NotUnderstood
        values = [self.eval(a.value, env) for a in node.args if a.keyword is None]
        keywords = {a.keyword: self.eval(a.value, env) for a in node.args if a.keyword is not None}
        if isinstance(node.func, t.Attribute) and self._function(node.func) is None:
            return self._method(node.func, env, values, keywords)
        function = self.eval(node.func, env)
        if not callable(function):
            raise NotUnderstood
        try:
            result: object = function(*values, **keywords)
        except TypeError as error:
            raise NotUnderstood from error
        return result

    def _method(
        self, func: t.Attribute, env: Env, values: list[object], keywords: Mapping[str, object]
    ) -> object:
        base = self.eval(func.value, env)
        if func.attr == "astype":
            self.cast = True
            return base
        if not isinstance(base, Array) or keywords or func.attr not in clip_library.METHODS:
            raise NotUnderstood
        try:
            return clip_library.METHODS[func.attr](base, *values)
        except TypeError as error:
            raise NotUnderstood from error

    def _function(self, node: t.Expression) -> Op | None:
        """The function a name or attribute holds, if it can only be that one."""
        value = self.facts.value(node.id)
        atom = next(iter(value), None)
        if len(value) != 1:
            return None
        while isinstance(atom, Transformed) and atom.kind in SHOWN:
            atom = atom.function
        return self._callable(atom)

    def _callable(self, atom: Atom | None) -> Op | None:
        if isinstance(atom, External):
            name = atom.name
            if name.rsplit(".", 1)[-1] in clip_library.NEUTRAL:
                return self._converted
            return lambda *values, **keywords: clip_library.call(name, list(values), keywords)
        if isinstance(atom, FunctionRef):
            function = self.facts.machine.functions[atom.function]
            return lambda *values, **keywords: call_helper(self, function, values, keywords)
        return None

    def _converted(self, value: object) -> object:
        self.cast = True
        return value

    def _function_variable(self, node: t.Name, scope: Scope) -> Op | None:
        """`clip = functools.partial(jnp.clip, min=…)` in a module: run what it was made by."""
        if not any(isinstance(a, Partial) for a in self.facts.value(node.id)):
            return None
        found = [s for s in scope.body if isinstance(s, t.Assign) and node.name in _bound_names(s)]
        if len(found) != 1 or not isinstance(found[0].targets[0], t.Name):
            raise NotUnderstood
        value = self.eval(found[0].value, Env({}, None, scope))
        if not callable(value):
            raise NotUnderstood
        return value

    def _closure(self, function: t.Function, env: Env) -> Op:
        def run(*values: object, **keywords: object) -> object:
            names = arguments(self, function, values, keywords)
            assert function.value is not None
            return self.eval(function.value, env.with_names(names))

        return run


def _bound_names(statement: t.Assign) -> list[str]:
    return [n.name for target in statement.targets for n in target_names(target)]


def _item(value: object, index: int) -> object:
    values = sequence(value)
    if not -len(values) <= index < len(values):
        raise NotUnderstood
    return values[index]
