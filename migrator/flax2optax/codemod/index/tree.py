"""The program as plain data: expressions, statements, functions and classes, without whitespace.

A node's `id` is its preorder number plus its module's base, so it is unique in a program and stable under re-parsing.
Sub-tokens that edits may replace (an attribute's name, an argument's keyword) have ids of their own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

NodeId = int


@dataclass(slots=True, eq=False)
class Expression:
    """Any expression; on its own it is one that no stage looks into (a number's imaginary part, an ellipsis)."""

    id: NodeId


@dataclass(slots=True, eq=False)
class Name(Expression):
    """A name, read or bound."""

    name: str


@dataclass(slots=True, eq=False)
class Attribute(Expression):
    """`value.attr`; `attr_id` is the token after the dot."""

    value: Expression
    attr: str
    attr_id: NodeId


@dataclass(slots=True, eq=False)
class Constant(Expression):
    """A literal: number, string, bytes; `None`, `True` and `False` too."""

    value: object


@dataclass(slots=True, eq=False)
class Argument:
    """One argument of a call; `star` is '', '*' or '**'."""

    id: NodeId
    value: Expression
    keyword: str | None
    keyword_id: NodeId
    star: str


@dataclass(slots=True, eq=False)
class Call(Expression):
    """`func(args)`."""

    func: Expression
    args: tuple[Argument, ...]


@dataclass(slots=True, eq=False)
class Starred(Expression):
    """`*value` inside a display, a target or a subscript."""

    value: Expression


@dataclass(slots=True, eq=False)
class Sequence(Expression):
    """A tuple, list or set display; `kind` says which."""

    kind: str
    elements: tuple[Expression, ...]
    element_ids: tuple[NodeId, ...]


@dataclass(slots=True, eq=False)
class Dict(Expression):
    """A dict display; a None key is `**value`."""

    items: tuple[tuple[Expression | None, Expression], ...]


@dataclass(slots=True, eq=False)
class Subscript(Expression):
    """`value[indices]`; a slice contributes its bounds and sets `sliced`."""

    value: Expression
    indices: tuple[Expression, ...]
    sliced: bool


@dataclass(slots=True, eq=False)
class Conditional(Expression):
    """`body if test else orelse`."""

    test: Expression
    body: Expression
    orelse: Expression


@dataclass(slots=True, eq=False)
class Operation(Expression):
    """A unary, binary, boolean or comparison operation; `operator` is its token(s)."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(slots=True, eq=False)
class Generator:
    """One `for target in iterable if conditions` of a comprehension."""

    target: Expression
    iterable: Expression
    conditions: tuple[Expression, ...]


@dataclass(slots=True, eq=False)
class Comprehension(Expression):
    """`kind` is 'list', 'set', 'dict' or 'generator'; a dict's `elements` are key and value."""

    kind: str
    elements: tuple[Expression, ...]
    generators: tuple[Generator, ...]


@dataclass(slots=True, eq=False)
class Named(Expression):
    """`target := value`."""

    target: Name
    value: Expression


@dataclass(slots=True, eq=False)
class Yield(Expression):
    """`yield value`, `yield from value` or `await value`, by `kind`."""

    kind: str
    value: Expression | None


@dataclass(slots=True, eq=False)
class FString(Expression):
    """A formatted string's expressions."""

    values: tuple[Expression, ...]


@dataclass(slots=True, eq=False)
class Lambda(Expression):
    """A lambda."""

    function: Function


@dataclass(slots=True, eq=False)
class Parameter:
    """One parameter; `kind` is 'positional_only', 'positional', 'star', 'keyword' or 'double_star'."""

    id: NodeId
    name: str
    name_id: NodeId
    kind: str
    default: Expression | None
    annotation: Expression | None


@dataclass(slots=True, eq=False)
class Function:
    """A def or a lambda. `locals` are the names its body binds; `parent` the enclosing function, `owner` the class."""

    id: NodeId
    name: str
    name_id: NodeId
    parameters: tuple[Parameter, ...]
    decorators: tuple[Expression, ...]
    returns: Expression | None
    module: Module
    parent: Function | None
    owner: Class | None
    body: tuple[Statement, ...] = ()
    value: Expression | None = None  # a lambda's body
    locals: set[str] = field(default_factory=set)
    outer: set[str] = field(default_factory=set)  # declared global or nonlocal
    generator: bool = False
    is_async: bool = False

    @property
    def method(self) -> Function | None:
        """The method that it is, or is written in."""
        around: Function | None = self
        while around is not None and around.owner is None:
            around = around.parent
        return around


@dataclass(slots=True, eq=False)
class Class:
    """A class statement."""

    id: NodeId
    name: str
    arguments: tuple[Argument, ...]
    decorators: tuple[Expression, ...]
    module: Module
    parent: Function | None
    owner: Class | None
    body: tuple[Statement, ...] = ()


@dataclass(slots=True, eq=False)
class Statement:
    """Any statement. `line` is the id of the logical line (or compound statement) it stands on."""

    id: NodeId
    line: NodeId


@dataclass(slots=True, eq=False)
class Assign(Statement):
    """`targets[0] = targets[1] = value`."""

    targets: tuple[Expression, ...]
    value: Expression


@dataclass(slots=True, eq=False)
class AnnAssign(Statement):
    """`target: annotation = value`."""

    target: Expression
    annotation: Expression
    value: Expression | None


@dataclass(slots=True, eq=False)
class AugAssign(Statement):
    """`target operator= value`."""

    target: Expression
    operator: str
    value: Expression


@dataclass(slots=True, eq=False)
class Evaluate(Statement):
    """An expression statement; also assert, raise and match subjects: values read for their effect."""

    kind: str
    values: tuple[Expression, ...]


@dataclass(slots=True, eq=False)
class Return(Statement):
    """`return value`."""

    value: Expression | None


@dataclass(slots=True, eq=False)
class Delete(Statement):
    """`del targets`."""

    targets: tuple[Expression, ...]


@dataclass(slots=True, eq=False)
class Jump(Statement):
    """`break`, `continue` or `pass`, by `kind`."""

    kind: str


@dataclass(slots=True, eq=False)
class Scope(Statement):
    """`global names` or `nonlocal names`, each with the id of its token."""

    names: tuple[tuple[str, NodeId], ...]


@dataclass(slots=True, eq=False)
class Alias:
    """One `name [as asname]` of an import; `name` is dotted in a plain import."""

    id: NodeId
    name: str
    asname: str | None

    @property
    def bound(self) -> str:
        """The name it binds: `a` of `import a.b`."""
        return self.asname or self.name.split(".")[0]


@dataclass(slots=True, eq=False)
class Import(Statement):
    """`import a.b as c` (module None, level 0) or `from ..a import b as c`; no aliases means `*`."""

    aliases: tuple[Alias, ...]
    module: str | None
    level: int
    is_from: bool

    def full(self, alias: Alias) -> str:
        """The dotted name that an alias of it imports, as it is written."""
        return f"{self.module}.{alias.name}" if self.is_from else alias.name


@dataclass(slots=True, eq=False)
class If(Statement):
    """`if test`."""

    test: Expression
    body: tuple[Statement, ...]
    orelse: tuple[Statement, ...]


@dataclass(slots=True, eq=False)
class For(Statement):
    """`for target in iterable`."""

    target: Expression
    iterable: Expression
    body: tuple[Statement, ...]
    orelse: tuple[Statement, ...]


@dataclass(slots=True, eq=False)
class While(Statement):
    """`while test`."""

    test: Expression
    body: tuple[Statement, ...]
    orelse: tuple[Statement, ...]


@dataclass(slots=True, eq=False)
class With(Statement):
    """`with value as target, …`."""

    items: tuple[tuple[Expression, Expression | None], ...]
    body: tuple[Statement, ...]


@dataclass(slots=True, eq=False)
class Try(Statement):
    """`try`; a handler is (type, bound name, body)."""

    body: tuple[Statement, ...]
    handlers: tuple[tuple[Expression | None, str | None, tuple[Statement, ...]], ...]
    orelse: tuple[Statement, ...]
    final: tuple[Statement, ...]


@dataclass(slots=True, eq=False)
class Match(Statement):
    """`match subject`; a case is (names it binds, guard, body)."""

    subject: Expression
    cases: tuple[tuple[tuple[str, ...], Expression | None, tuple[Statement, ...]], ...]


@dataclass(slots=True, eq=False)
class Define(Statement):
    """A def or class statement."""

    definition: Function | Class


@dataclass(slots=True, eq=False)
class Module:
    """One file. `base` is added to the preorder numbers of its nodes; `package` is its folder."""

    path: str
    base: int
    body: tuple[Statement, ...] = ()
    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)  # every name bound anywhere in the file
    names: dict[str, int] = field(default_factory=dict)  # every name read, with its count
    inline: set[NodeId] = field(default_factory=set)  # lines with `if x: y` or `x; y`
    size: int = 0  # how many ids it uses
    places: tuple[Any, ...] | None = None  # what `walk.everything` found
    attributes: Counter[str] | None = None  # what `walk.attributes_read` counted
    set_from_inside: frozenset[str] | None = None  # what `walk.set_from_inside` collected
