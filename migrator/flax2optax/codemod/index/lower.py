"""One hand-written walk over a LibCST tree that yields plain data and numbers every node it meets.

LibCST's own visitors and metadata cost one to ten parses; this walk touches only the fields that matter.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, cast

import libcst as cst

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.walk import bound_nodes

OPERATORS: dict[type[cst.CSTNode], str] = {
    cst.Add: "+",
    cst.Subtract: "-",
    cst.Multiply: "*",
    cst.Divide: "/",
    cst.FloorDivide: "//",
    cst.Modulo: "%",
    cst.Power: "**",
    cst.MatrixMultiply: "@",
    cst.BitAnd: "&",
    cst.BitOr: "|",
    cst.BitXor: "^",
    cst.LeftShift: "<<",
    cst.RightShift: ">>",
    cst.And: "and",
    cst.Or: "or",
    cst.Not: "not",
    cst.Minus: "-",
    cst.Plus: "+",
    cst.BitInvert: "~",
    cst.Equal: "==",
    cst.NotEqual: "!=",
    cst.LessThan: "<",
    cst.LessThanEqual: "<=",
    cst.GreaterThan: ">",
    cst.GreaterThanEqual: ">=",
    cst.Is: "is",
    cst.IsNot: "is not",
    cst.In: "in",
    cst.NotIn: "not in",
}
_CONSTANTS = {"None": None, "True": True, "False": False}


def lower(root: cst.Module, path: str, base: int) -> tuple[t.Module, list[cst.CSTNode]]:
    """Lower one parsed file; the second result maps a node's number (id - base) to its LibCST node."""
    lowering = _Lowering(path, base)
    return lowering.run(root), lowering.nodes


class _Lowering:
    def __init__(self, path: str, base: int) -> None:
        self.module = t.Module(path, base)
        self.nodes: list[cst.CSTNode] = []
        self.function: t.Function | None = None
        self.owner: t.Class | None = None

    def run(self, root: cst.Module) -> t.Module:
        self.module.body = self.block(root.body)
        self.module.size = len(self.nodes)
        return self.module

    def number(self, node: cst.CSTNode) -> t.NodeId:
        self.nodes.append(node)
        return self.module.base + len(self.nodes) - 1

    def bind(self, name: str) -> None:
        self.module.bound.add(name)
        if self.function is not None and self.owner is None:
            self.function.locals.add(name)

    # Expressions

    def expression(self, node: cst.CSTNode) -> t.Expression:
        lowered = _EXPRESSIONS.get(type(node))
        if lowered is None:
            return t.Expression(self.number(node))
        return lowered(self, node)

    def optional(self, node: cst.CSTNode | None) -> t.Expression | None:
        return None if node is None else self.expression(node)

    def name(self, node: cst.Name) -> t.Expression:
        if node.value in _CONSTANTS:
            return t.Constant(self.number(node), _CONSTANTS[node.value])
        self.module.names[node.value] = self.module.names.get(node.value, 0) + 1
        return t.Name(self.number(node), node.value)

    def attribute(self, node: cst.Attribute) -> t.Expression:
        id_ = self.number(node)
        value = self.expression(node.value)
        return t.Attribute(id_, value, node.attr.value, self.number(node.attr))

    def constant(
        self, node: cst.Integer | cst.Float | cst.Imaginary | cst.SimpleString
    ) -> t.Expression:
        return t.Constant(self.number(node), _literal(node.value))

    def concatenated(self, node: cst.ConcatenatedString) -> t.Expression:
        value = node.evaluated_value
        if value is not None:
            return t.Constant(self.number(node), value)
        return t.FString(
            self.number(node), (self.expression(node.left), self.expression(node.right))
        )

    def fstring(self, node: cst.FormattedString) -> t.Expression:
        return t.FString(self.number(node), tuple(self.fstring_parts(node.parts)))

    def fstring_parts(self, parts: Iterable[cst.CSTNode]) -> Iterable[t.Expression]:
        for part in parts:
            if isinstance(part, cst.FormattedStringExpression):
                yield self.expression(part.expression)
                yield from self.fstring_parts(part.format_spec or ())

    def argument(self, node: cst.Arg) -> t.Argument:
        id_ = self.number(node)
        keyword = node.keyword
        keyword_id = self.number(keyword) if keyword else id_
        name = keyword.value if keyword else None
        return t.Argument(id_, self.expression(node.value), name, keyword_id, node.star)

    def call(self, node: cst.Call) -> t.Expression:
        id_ = self.number(node)
        return t.Call(id_, self.expression(node.func), tuple(self.argument(a) for a in node.args))

    def element(self, node: cst.BaseElement) -> t.Expression:
        if isinstance(node, cst.StarredElement):
            return t.Starred(self.number(node), self.expression(node.value))
        return self.expression(node.value)

    def sequence(self, node: cst.Tuple | cst.List | cst.Set) -> t.Expression:
        id_ = self.number(node)
        element_ids = tuple(self.number(e) for e in node.elements)
        elements = tuple(self.element(e) for e in node.elements)
        return t.Sequence(id_, type(node).__name__.lower(), elements, element_ids)

    def dict(self, node: cst.Dict) -> t.Expression:
        id_ = self.number(node)
        items: list[tuple[t.Expression | None, t.Expression]] = []
        for element in node.elements:
            key = self.expression(element.key) if isinstance(element, cst.DictElement) else None
            items.append((key, self.expression(element.value)))
        return t.Dict(id_, tuple(items))

    def subscript(self, node: cst.Subscript) -> t.Expression:
        id_ = self.number(node)
        value = self.expression(node.value)
        indices: list[t.Expression] = []
        sliced = False
        for element in node.slice:
            if isinstance(element.slice, cst.Index):
                indices.append(self.expression(element.slice.value))
            elif isinstance(element.slice, cst.Slice):
                sliced = True
                bounds = (element.slice.lower, element.slice.upper, element.slice.step)
                indices.extend(self.expression(bound) for bound in bounds if bound is not None)
        return t.Subscript(id_, value, tuple(indices), sliced)

    def conditional(self, node: cst.IfExp) -> t.Expression:
        id_ = self.number(node)
        body, test = self.expression(node.body), self.expression(node.test)
        return t.Conditional(id_, test, body, self.expression(node.orelse))

    def binary(self, node: cst.BinaryOperation | cst.BooleanOperation) -> t.Expression:
        operands = (node.left, node.right)
        id_ = self.number(node)
        return t.Operation(id_, _token(node.operator), tuple(map(self.expression, operands)))

    def unary(self, node: cst.UnaryOperation) -> t.Expression:
        return t.Operation(
            self.number(node), _token(node.operator), (self.expression(node.expression),)
        )

    def comparison(self, node: cst.Comparison) -> t.Expression:
        id_ = self.number(node)
        operands = [self.expression(node.left)]
        operands += [self.expression(c.comparator) for c in node.comparisons]
        return t.Operation(
            id_, " ".join(_token(c.operator) for c in node.comparisons), tuple(operands)
        )

    def named(self, node: cst.NamedExpr) -> t.Expression:
        id_ = self.number(node)
        target = self.target(node.target)
        return t.Named(id_, cast(t.Name, target), self.expression(node.value))

    def yields(self, node: cst.Yield) -> t.Expression:
        if self.function is not None:
            self.function.generator = True
        value = node.value.item if isinstance(node.value, cst.From) else node.value
        kind = "from" if isinstance(node.value, cst.From) else "yield"
        return t.Yield(self.number(node), kind, self.optional(value))

    def awaits(self, node: cst.Await) -> t.Expression:
        return t.Yield(self.number(node), "await", self.expression(node.expression))

    def comprehension(self, node: cst.BaseComp) -> t.Expression:
        id_ = self.number(node)
        generators: list[t.Generator] = []
        clause: cst.CompFor | None = node.for_in
        while clause is not None:
            iterable = self.expression(clause.iter)
            target = self.target(clause.target)
            generators.append(
                t.Generator(target, iterable, tuple(self.expression(c.test) for c in clause.ifs))
            )
            clause = clause.inner_for_in
        parts = (node.key, node.value) if isinstance(node, cst.DictComp) else (cast(Any, node).elt,)
        kind = _COMPREHENSIONS[type(node)]
        return t.Comprehension(id_, kind, tuple(map(self.expression, parts)), tuple(generators))

    def lambda_(self, node: cst.Lambda) -> t.Expression:
        id_ = self.number(node)
        function = self.enter(id_, "<lambda>", id_, node.params, (), None)
        outer, owner = self.function, self.owner
        self.function, self.owner = function, None
        function.value = self.expression(node.body)
        self.function, self.owner = outer, owner
        return t.Lambda(id_, function)

    def target(self, node: cst.CSTNode) -> t.Expression:
        """Lower an assignment target and record the names it binds."""
        lowered = self.expression(node)
        for name in (node.name for node in bound_nodes(lowered)):
            self.bind(name)
        return lowered

    # Functions and classes

    def enter(
        self,
        id_: t.NodeId,
        name: str,
        name_id: t.NodeId,
        parameters: cst.Parameters,
        decorators: tuple[t.Expression, ...],
        returns: t.Expression | None,
    ) -> t.Function:
        """Make the function record; defaults and annotations belong to the enclosing scope."""
        lowered = tuple(self.parameters(parameters))
        function = t.Function(
            id_, name, name_id, lowered, decorators, returns, self.module, self.function, self.owner
        )
        function.locals.update(p.name for p in lowered)
        self.module.bound.update(p.name for p in lowered)
        self.module.functions.append(function)
        return function

    def parameters(self, node: cst.Parameters) -> Iterable[t.Parameter]:
        groups: tuple[tuple[str, Iterable[cst.CSTNode | None]], ...] = (
            ("positional_only", node.posonly_params),
            ("positional", node.params),
            ("star", (node.star_arg if isinstance(node.star_arg, cst.Param) else None,)),
            ("keyword", node.kwonly_params),
            ("double_star", (node.star_kwarg,)),
        )
        for kind, params in groups:
            for param in params:
                if isinstance(param, cst.Param):
                    yield self.parameter(kind, param)

    def parameter(self, kind: str, node: cst.Param) -> t.Parameter:
        id_ = self.number(node)
        name_id = self.number(node.name)
        annotation = self.optional(node.annotation.annotation if node.annotation else None)
        return t.Parameter(
            id_, node.name.value, name_id, kind, self.optional(node.default), annotation
        )

    def function_def(self, node: cst.FunctionDef) -> t.Statement:
        id_ = self.number(node)
        decorators = tuple(self.expression(d.decorator) for d in node.decorators)
        name_id = self.number(node.name)
        returns = self.optional(node.returns.annotation if node.returns else None)
        function = self.enter(id_, node.name.value, name_id, node.params, decorators, returns)
        function.is_async = node.asynchronous is not None
        self.bind(function.name)
        outer, owner = self.function, self.owner
        self.function, self.owner = function, None
        function.body = self.suite(node.body)
        self.function, self.owner = outer, owner
        function.locals -= function.outer
        return t.Define(id_, id_, function)

    def class_def(self, node: cst.ClassDef) -> t.Statement:
        id_ = self.number(node)
        decorators = tuple(self.expression(d.decorator) for d in node.decorators)
        arguments = tuple(self.argument(a) for a in (*node.bases, *node.keywords))
        class_ = t.Class(
            id_, node.name.value, arguments, decorators, self.module, self.function, self.owner
        )
        self.module.classes.append(class_)
        self.bind(class_.name)
        owner, self.owner = self.owner, class_
        class_.body = self.suite(node.body)
        self.owner = owner
        return t.Define(id_, id_, class_)

    # Statements

    def block(self, statements: Iterable[cst.CSTNode]) -> tuple[t.Statement, ...]:
        lowered: list[t.Statement] = []
        for node in statements:
            if isinstance(node, cst.SimpleStatementLine):
                line = self.number(node)
                if len(node.body) > 1:  # `a; b` shares its line like `if x: y`
                    self.module.inline.add(line)
                lowered.extend(self.small(s, line) for s in node.body)
            else:
                lowered.append(self.compound(node))
        return tuple(lowered)

    def suite(self, node: cst.CSTNode) -> tuple[t.Statement, ...]:
        """The statements of a body; those of `if x: y` on one line share a line that takes no more lines."""
        if isinstance(node, cst.IndentedBlock):
            return self.block(node.body)
        line = self.number(node)
        self.module.inline.add(line)
        return tuple(self.small(s, line) for s in cast(cst.SimpleStatementSuite, node).body)

    def small(self, node: cst.CSTNode, line: t.NodeId) -> t.Statement:
        return _SMALL.get(type(node), _Lowering.evaluate)(self, node, line)

    def evaluate(self, node: cst.CSTNode, line: t.NodeId) -> t.Statement:
        id_ = self.number(node)
        parts: tuple[cst.CSTNode | None, ...] = ()
        if isinstance(node, cst.Expr):
            parts = (node.value,)
        elif isinstance(node, cst.Assert):
            parts = (node.test, node.msg)
        elif isinstance(node, cst.Raise):
            parts = (node.exc, node.cause.item if node.cause else None)
        values = tuple(self.expression(p) for p in parts if p is not None)
        return t.Evaluate(id_, line, type(node).__name__.lower(), values)

    def jump(self, node: cst.CSTNode, line: t.NodeId) -> t.Statement:
        return t.Jump(self.number(node), line, type(node).__name__.lower())

    def assign(self, node: cst.Assign, line: t.NodeId) -> t.Statement:
        id_ = self.number(node)
        targets = tuple(self.target(target.target) for target in node.targets)
        return t.Assign(id_, line, targets, self.expression(node.value))

    def type_alias(self, node: cst.TypeAlias, line: t.NodeId) -> t.Statement:
        id_ = self.number(node)
        return t.Assign(id_, line, (self.target(node.name),), self.expression(node.value))

    def ann_assign(self, node: cst.AnnAssign, line: t.NodeId) -> t.Statement:
        id_ = self.number(node)
        target = self.target(node.target)
        annotation = self.expression(node.annotation.annotation)
        return t.AnnAssign(id_, line, target, annotation, self.optional(node.value))

    def aug_assign(self, node: cst.AugAssign, line: t.NodeId) -> t.Statement:
        id_ = self.number(node)
        operator = _AUGMENTED[type(node.operator).__name__]
        return t.AugAssign(
            id_, line, self.target(node.target), operator, self.expression(node.value)
        )

    def return_(self, node: cst.Return, line: t.NodeId) -> t.Statement:
        return t.Return(self.number(node), line, self.optional(node.value))

    def delete(self, node: cst.Del, line: t.NodeId) -> t.Statement:
        id_ = self.number(node)
        target = self.expression(node.target)
        targets = target.elements if isinstance(target, t.Sequence) else (target,)
        return t.Delete(id_, line, targets)

    def scope(self, node: cst.Global | cst.Nonlocal, line: t.NodeId) -> t.Statement:
        if self.function is not None:
            self.function.outer.update(item.name.value for item in node.names)
        id_ = self.number(node)
        return t.Scope(id_, line, tuple((i.name.value, self.number(i.name)) for i in node.names))

    def import_(self, node: cst.Import, line: t.NodeId) -> t.Statement:
        id_ = self.number(node)
        aliases = tuple(self.alias(a) for a in node.names)
        for alias in aliases:
            self.bind(alias.bound)
        return self.imported(t.Import(id_, line, aliases, None, 0, False))

    def import_from(self, node: cst.ImportFrom, line: t.NodeId) -> t.Statement:
        id_ = self.number(node)
        names = () if isinstance(node.names, cst.ImportStar) else node.names
        aliases = tuple(self.alias(a) for a in names)
        for alias in aliases:
            self.bind(alias.bound)
        module = _dotted(node.module) if node.module else None
        return self.imported(t.Import(id_, line, aliases, module, len(node.relative), True))

    def imported(self, statement: t.Import) -> t.Import:
        self.module.imports.append(statement)
        return statement

    def alias(self, node: cst.ImportAlias) -> t.Alias:
        asname = node.asname.name if node.asname else None
        name = asname.value if isinstance(asname, cst.Name) else None
        return t.Alias(self.number(node), _dotted(node.name), name)

    def compound(self, node: cst.CSTNode) -> t.Statement:
        return _COMPOUND[type(node)](self, node)

    def if_(self, node: cst.If) -> t.Statement:
        id_ = self.number(node)
        test = self.expression(node.test)
        return t.If(id_, id_, test, self.suite(node.body), self.orelse(node.orelse))

    def orelse(self, node: cst.If | cst.Else | None) -> tuple[t.Statement, ...]:
        if node is None:
            return ()
        return (self.if_(node),) if isinstance(node, cst.If) else self.suite(node.body)

    def for_(self, node: cst.For) -> t.Statement:
        id_ = self.number(node)
        target = self.target(node.target)
        iterable = self.expression(node.iter)
        return t.For(id_, id_, target, iterable, self.suite(node.body), self.orelse(node.orelse))

    def while_(self, node: cst.While) -> t.Statement:
        id_ = self.number(node)
        test = self.expression(node.test)
        return t.While(id_, id_, test, self.suite(node.body), self.orelse(node.orelse))

    def with_(self, node: cst.With) -> t.Statement:
        id_ = self.number(node)
        items = tuple(
            (self.expression(i.item), self.target(i.asname.name) if i.asname else None)
            for i in node.items
        )
        return t.With(id_, id_, items, self.suite(node.body))

    def try_(self, node: cst.Try | cst.TryStar) -> t.Statement:
        id_ = self.number(node)
        body = self.suite(node.body)
        handlers = tuple(self.handler(h) for h in node.handlers)
        final = self.suite(node.finalbody.body) if node.finalbody else ()
        return t.Try(id_, id_, body, handlers, self.orelse(node.orelse), final)

    def handler(
        self, node: cst.ExceptHandler | cst.ExceptStarHandler
    ) -> tuple[t.Expression | None, str | None, tuple[t.Statement, ...]]:
        type_ = self.optional(node.type)
        name = node.name.name.value if node.name and isinstance(node.name.name, cst.Name) else None
        if name is not None:
            self.bind(name)
        return type_, name, self.suite(node.body)

    def match(self, node: cst.Match) -> t.Statement:
        id_ = self.number(node)
        subject = self.expression(node.subject)
        cases = []
        for case in node.cases:
            names = tuple(_captured(case.pattern))
            for name in names:
                self.bind(name)
            cases.append((names, self.optional(case.guard), self.suite(case.body)))
        return t.Match(id_, id_, subject, tuple(cases))


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


_AUGMENTED = {f"{kind.__name__}Assign": token for kind, token in OPERATORS.items()}


def _token(node: cst.CSTNode) -> str:
    return OPERATORS.get(type(node), type(node).__name__)


def _dotted(node: cst.CSTNode) -> str:
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    return cast(cst.Name, node).value


def _captured(pattern: cst.CSTNode) -> Iterable[str]:
    if isinstance(pattern, cst.MatchAs | cst.MatchStar) and pattern.name is not None:
        yield pattern.name.value
    for child in pattern.children:
        yield from _captured(child)


_COMPREHENSIONS: dict[type[cst.CSTNode], str] = {
    cst.ListComp: "list",
    cst.SetComp: "set",
    cst.DictComp: "dict",
    cst.GeneratorExp: "generator",
}
_EXPRESSIONS: dict[type[cst.CSTNode], Callable[[_Lowering, Any], t.Expression]] = {
    cst.Name: _Lowering.name,
    cst.Attribute: _Lowering.attribute,
    cst.Integer: _Lowering.constant,
    cst.Float: _Lowering.constant,
    cst.Imaginary: _Lowering.constant,
    cst.SimpleString: _Lowering.constant,
    cst.ConcatenatedString: _Lowering.concatenated,
    cst.FormattedString: _Lowering.fstring,
    cst.Call: _Lowering.call,
    cst.Tuple: _Lowering.sequence,
    cst.List: _Lowering.sequence,
    cst.Set: _Lowering.sequence,
    cst.Dict: _Lowering.dict,
    cst.Subscript: _Lowering.subscript,
    cst.IfExp: _Lowering.conditional,
    cst.BinaryOperation: _Lowering.binary,
    cst.BooleanOperation: _Lowering.binary,
    cst.UnaryOperation: _Lowering.unary,
    cst.Comparison: _Lowering.comparison,
    cst.NamedExpr: _Lowering.named,
    cst.Yield: _Lowering.yields,
    cst.Await: _Lowering.awaits,
    cst.ListComp: _Lowering.comprehension,
    cst.SetComp: _Lowering.comprehension,
    cst.DictComp: _Lowering.comprehension,
    cst.GeneratorExp: _Lowering.comprehension,
    cst.Lambda: _Lowering.lambda_,
}
_SMALL: dict[type[cst.CSTNode], Callable[[_Lowering, Any, t.NodeId], t.Statement]] = {
    cst.Assign: _Lowering.assign,
    cst.AnnAssign: _Lowering.ann_assign,
    cst.TypeAlias: _Lowering.type_alias,
    cst.AugAssign: _Lowering.aug_assign,
    cst.Return: _Lowering.return_,
    cst.Del: _Lowering.delete,
    cst.Global: _Lowering.scope,
    cst.Nonlocal: _Lowering.scope,
    cst.Import: _Lowering.import_,
    cst.ImportFrom: _Lowering.import_from,
    cst.Pass: _Lowering.jump,
    cst.Break: _Lowering.jump,
    cst.Continue: _Lowering.jump,
}
_COMPOUND: dict[type[cst.CSTNode], Callable[[_Lowering, Any], t.Statement]] = {
    cst.FunctionDef: _Lowering.function_def,
    cst.ClassDef: _Lowering.class_def,
    cst.If: _Lowering.if_,
    cst.For: _Lowering.for_,
    cst.While: _Lowering.while_,
    cst.With: _Lowering.with_,
    cst.Try: _Lowering.try_,
    cst.TryStar: _Lowering.try_,
    cst.Match: _Lowering.match,
}
