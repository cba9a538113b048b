"""What the forms write on while a file is planned: edits and findings of flows, and the names a file gets."""

from __future__ import annotations

from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, function_around, walk
from flax2optax.codemod.infer import OptimizerFacts
from flax2optax.codemod.plan.edits import Edit, Finding, FlowPlan, Hole, Piece, Pieces
from flax2optax.codemod.plan.names import (
    Spelling,
    fresh,
    module_spelling,
    names_in,
    object_spelling,
)

TRAIN_STATE = "flax.training.train_state.TrainState"


@dataclass
class Draft:
    """The plans of all flows, by site; `module` is the file at hand."""

    facts: OptimizerFacts
    flows: dict[NodeId, FlowPlan] = field(default_factory=dict)
    # Per module, names that flows bind and that must last: the id of their scope, the name, the flow.
    claims: dict[NodeId, list[tuple[NodeId, str, NodeId]]] = field(default_factory=dict)
    # Constructor calls that are written so that complex gradients are squared as in flax.
    squared: set[NodeId] = field(default_factory=set)
    _taken: dict[NodeId, set[str]] = field(default_factory=dict)

    def flow(self, site: NodeId) -> FlowPlan:
        """The flow a site belongs to."""
        root = self.facts.flows.find(site)
        if root not in self.flows:
            self.flows[root] = FlowPlan(f"flow-{len(self.flows) + 1}", root)
        return self.flows[root]

    def file_flow(self, module: t.Module) -> FlowPlan:
        """The pseudo-flow of what belongs to a file and not to one optimizer: annotations, references."""
        if module.base not in self.flows:
            self.flows[module.base] = FlowPlan(f"file-{module.base}", module.base)
            self.flows[module.base].files[module.path] = None
        return self.flows[module.base]

    def edit(self, flow: FlowPlan, edit: Edit) -> None:
        """Add an edit and its file."""
        flow.edits.append(edit)
        flow.files[self.facts.program.owner(_node(edit)).path] = None

    def find(self, flow: FlowPlan, code: str, node: NodeId, message: str, help_: str = "") -> None:
        """Add a finding that the flow's edits resolve."""
        flow.findings.append(Finding(code, node, message, help_))
        flow.files[self.facts.program.owner(node).path] = None

    def stop(self, flow: FlowPlan, code: str, node: NodeId, message: str, help_: str = "") -> None:
        """Add a reason why nothing of the flow may be changed."""
        if not any(f.node == node and f.code == code and f.blocks for f in flow.findings):
            flow.findings.append(Finding(code, node, message, help_, blocks=True))
        flow.files[self.facts.program.owner(node).path] = None

    def note(self, flow: FlowPlan, code: str, node: NodeId, message: str, help_: str = "") -> None:
        """Add something a reviewer should know."""
        flow.findings.append(Finding(code, node, message, help_, note=True))

    # Names

    def claim(self, module: t.Module, scope: NodeId, name: str, site: NodeId) -> None:
        """Say that a flow binds a name, which no other flow may bind where both are seen."""
        root = self.facts.flows.find(site)
        self.claims.setdefault(module.base, []).append((scope, name, root))

    def claimed(self, module: t.Module, site: NodeId) -> list[tuple[NodeId, str]]:
        """The names that other flows than this one bind, each with the id of its scope."""
        root = self.facts.flows.find(site)
        return [
            (id_, name) for id_, name, owner in self.claims.get(module.base, ()) if owner != root
        ]

    def library(self, flow: FlowPlan, module: t.Module, dotted: str) -> str:
        """How this file calls a library module; the import is added if it lacks one."""
        return self._need(flow, module, module_spelling(module, dotted))

    def object(self, flow: FlowPlan, module: t.Module, dotted: str) -> str:
        """How this file calls an object of a library module."""
        return self._need(flow, module, object_spelling(module, dotted))

    def _need(self, flow: FlowPlan, module: t.Module, spelling: Spelling) -> str:
        root = spelling.text.split(".")[0]
        if any(root in f.locals and not _imports(f, root) for f in module.functions):
            self.stop(
                flow, "FXO206", module.body[0].id, f"`{root}` also is a variable in this file"
            )
        if spelling.line:
            flow.imports.setdefault(module.path, {})[spelling.line] = None
        return spelling.text

    def support(self, flow: FlowPlan, module: t.Module, name: str) -> None:
        """Have a support written into this file, unless its name has another meaning there."""
        own = name in module.bound and not _is_imported_from_flax(module, name)
        if own or any(name in f.locals for f in module.functions):
            self.stop(flow, "FXO206", module.body[0].id, f"this file has a `{name}` of its own")
        flow.supports.setdefault(module.path, {})[name] = None

    def fresh(self, above: tuple[Node, ...], wanted: str) -> str:
        """A local name that means nothing else in the enclosing function (or module)."""
        scope = function_around(above)
        if scope is not None:
            key = scope.id
            taken = self._taken.setdefault(key, names_in((scope,)))
        else:
            module = self.facts.program.owner(_id(above[0]))
            taken = self._taken.setdefault(module.base, module.bound | set(module.names))
        return fresh(wanted, taken)


def _imports(function: t.Function, name: str) -> bool:
    return any(
        isinstance(node, t.Import) and any(a.bound == name for a in node.aliases)
        for node, _ in walk(function.body)
    )


def _is_imported_from_flax(module: t.Module, name: str) -> bool:
    """Whether a name is one of flax.optim's, whose import goes."""
    return any(
        alias.bound == name
        for statement in module.imports
        if (statement.module or "").startswith("flax.optim")
        for alias in statement.aliases
    )


def _id(node: Node) -> NodeId:
    """The id of the outermost node, which is a statement."""
    assert not isinstance(node, t.Generator)
    return node.id


def _node(edit: Edit) -> NodeId:
    return edit.line if hasattr(edit, "line") else edit.node


def pieces(*parts: Piece | NodeId | Pieces) -> Pieces:
    """Join text, node ids (holes) and pieces."""
    result: list[Piece] = []
    for part in parts:
        if isinstance(part, tuple):
            result.extend(part)
        elif isinstance(part, int):
            result.append(Hole(part))
        else:
            result.append(part)
    return tuple(result)


def simple(node: t.Expression) -> bool:
    """A name, constant or attribute chain: evaluating it twice is the same as once."""
    if isinstance(node, t.Attribute):
        return simple(node.value)
    if isinstance(node, t.Subscript):
        return simple(node.value) and all(isinstance(i, t.Constant | t.Name) for i in node.indices)
    return isinstance(node, t.Name | t.Constant)


def calls_in(nodes: tuple[t.Expression, ...]) -> bool:
    """Whether evaluating some expressions may do something, so that their order matters."""
    return any(isinstance(node, t.Call | t.Named | t.Yield) for node, _ in walk(nodes))


def is_first(statement: t.Statement, node: t.Call) -> bool:
    """Whether a statement does nothing before it evaluates a call that could matter to the call's arguments."""
    given = tuple(argument.value for argument in node.args)
    plain = all(isinstance(n, t.Name | t.Constant | t.Operation) for n, _ in walk(given))
    doing = (t.Named, t.Yield) if plain else (t.Named, t.Yield, t.Call)
    return not any(
        isinstance(other, doing)
        and other.id < node.id
        and all(inner is not node for inner, _ in walk((other,)))
        for other, _ in walk((statement,))
    )


def statement_of(above: tuple[Node, ...], module: t.Module) -> t.Statement | None:
    """The statement that evaluates a node exactly once, in front of which lines may be written."""
    for node in reversed(above):
        if isinstance(
            node, t.Argument | t.Sequence | t.Dict | t.Starred | t.Call | t.Attribute | t.Subscript
        ):
            continue
        if isinstance(node, t.Assign | t.AnnAssign | t.Return | t.Evaluate):
            return None if node.line in module.inline else node
        return None
    return None
