"""The gradient transformation of an explicit flow: one name for it, seen wherever a step is made."""

from __future__ import annotations

from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node, everything
from flax2optax.codemod.infer.values import Definition
from flax2optax.codemod.plan.bindings import bound_once, is_imported, settled_before
from flax2optax.codemod.plan.clips import chained
from flax2optax.codemod.plan.draft import Draft, pieces
from flax2optax.codemod.plan.edits import Edit, Pieces, Replace, ReplaceStatement
from flax2optax.codemod.plan.explicit_names import (
    NotExplicit,
    Scope,
    functions_above,
    is_bound_by,
    prefix_of,
    scope_of,
)
from flax2optax.codemod.plan.exports import named_elsewhere
from flax2optax.codemod.plan.occurrences import Occurrence, parent
from flax2optax.codemod.plan.rates import FlowFacts


@dataclass
class Transformation:
    """What the transformation is called, its scope and file; `made_here` are lines that make it before a create."""

    name: str
    scope: Scope
    module: t.Module
    renames: list[Edit] = field(default_factory=list)
    made_here: dict[NodeId, tuple[Pieces, ...]] = field(default_factory=dict)

    def check_visible(self, use: Occurrence, module: t.Module) -> None:
        """Raise if a step cannot see it."""
        around = functions_above(use.above)
        if module is not self.module or self.scope not in (module, *around):
            raise NotExplicit(
                use.node.id, "the transformation cannot be seen where the step is made"
            )
        inner = around[: around.index(self.scope)] if self.scope in around else around
        if any(self.name in function.locals for function in inner):
            raise NotExplicit(
                use.node.id, f"`{self.name}` means something else where the step is made"
            )


def find_transformation(draft: Draft, uses: list[Occurrence], known: FlowFacts) -> Transformation:
    """One variable for all creates, or a new one beside the only create."""
    creates = [use for use in uses if use.kind == "create"]
    if not creates:
        raise NotExplicit(uses[0].node.id, "nobody creates it")
    module = draft.facts.program.owner(creates[0].node.id)
    if any(draft.facts.program.owner(use.node.id) is not module for use in creates):
        raise NotExplicit(creates[0].node.id, "it is created in several files")
    variables = {_variable(module, use) for use in creates}
    if len(variables) != 1 or (known.clips and len(creates) > 1):
        raise NotExplicit(creates[0].node.id, "it is made from more than one definition")
    (variable,) = variables
    if variable is None:
        return _new(draft, module, creates, known)
    scope, name = variable
    first = min(use.node.id for use in creates)
    if not bound_once(name, scope) and not settled_before(name, scope, first):
        raise NotExplicit(first, f"`{name}` may be another definition when a step is made")
    return _named(draft, module, scope, name, known, creates[0].flow or 0)


def _variable(module: t.Module, use: Occurrence) -> tuple[Scope, str] | None:
    assert isinstance(use.node, t.Call) and isinstance(use.node.func, t.Attribute)
    if (
        len(use.node.args) != 1
        or use.node.args[0].star
        or use.node.args[0].keyword not in (None, "target")
    ):
        raise NotExplicit(use.node.id, "it is created with a focus")
    made = use.node.func.value
    if isinstance(made, t.Name):
        return scope_of(made.name, use.above, module), made.name
    return None


def _new(
    draft: Draft, module: t.Module, creates: list[Occurrence], known: FlowFacts
) -> Transformation:
    if len(creates) != 1:
        raise NotExplicit(creates[0].node.id, "it is made from more than one definition")
    (use,) = creates
    assert isinstance(use.node, t.Call) and isinstance(use.node.func, t.Attribute)
    if any(isinstance(n, t.For | t.While) for n in use.above):
        raise NotExplicit(use.node.id, "it is made in a loop")
    around = functions_above(use.above)
    scope: Scope = around[0] if around else module
    over = parent(use.above)
    target = over.targets[0] if isinstance(over, t.Assign) else None
    own = f"{prefix_of(target.name)}tx" if isinstance(target, t.Name) else "tx"
    site = draft.facts.flows.find(use.flow or use.node.id)
    name = next((n for n in ("tx", own) if _is_free(draft, module, scope, n, site)), None)
    if name is None:
        raise NotExplicit(use.node.id, "`tx` is taken")
    made = _clipped(draft, module, use.node.id, known, use.node.func.value.id)
    return Transformation(
        name, scope, module, made_here={use.node.id: (pieces(f"{name} = ", made),)}
    )


def _is_free(draft: Draft, module: t.Module, scope: Scope, name: str, site: NodeId) -> bool:
    """Whether a name means nothing in the file, nor in what became of other flows."""
    if name in module.bound or name in module.names:
        return False
    return not is_bound_by(draft.claimed(module, site), module, scope, name)


def _named(
    draft: Draft, module: t.Module, scope: Scope, name: str, known: FlowFacts, site: NodeId
) -> Transformation:
    """The definition's own variable, renamed to `tx` where every use of it can be."""
    facts = draft.facts
    nodes = [
        (node, above)
        for node, above in everything(module)
        if isinstance(node, t.Name) and node.name == name and scope_of(name, above, module) is scope
    ]
    definitions = [n for n, _ in nodes if any(isinstance(a, Definition) for a in facts.value(n.id))]
    parameter = isinstance(scope, t.Function) and any(p.name == name for p in scope.parameters)
    kept = is_imported(name, scope) or (
        scope is module and named_elsewhere(facts.program, module, name)
    )
    free = not kept and _is_free(draft, module, scope, "tx", site)
    shared = len(definitions) != len(nodes)
    declared = any(isinstance(n, t.Scope) and name in dict(n.names) for n, _ in everything(module))
    if free and not parameter and not declared and not _mixed(draft, definitions):
        renames: list[Edit] = [Replace(n.id, ("tx",)) for n in definitions]
        return Transformation(
            "tx", scope, module, renames + _wrapped(draft, module, "tx", nodes, known)
        )
    if shared:
        raise NotExplicit(nodes[0][0].id, f"`{name}` is both the definition and the optimizer")
    return Transformation(name, scope, module, _wrapped(draft, module, name, nodes, known))


def _clipped(
    draft: Draft, module: t.Module, site: NodeId, known: FlowFacts, made: NodeId
) -> Pieces:
    """The definition with the flow's clips in front of it."""
    if not known.clips:
        return pieces(made)
    optax = draft.library(draft.flow(site), module, "optax")
    return chained(known.clips, optax, pieces(made))


def _wrapped(
    draft: Draft,
    module: t.Module,
    name: str,
    nodes: list[tuple[t.Name, tuple[Node, ...]]],
    known: FlowFacts,
) -> list[Edit]:
    """Put the clips into the only statement that names the definition."""
    if not known.clips:
        return []
    made = [
        over
        for n, above in nodes
        if isinstance(over := parent(above), t.Assign) and n in over.targets
    ]
    if len(made) != 1 or len(made[0].targets) != 1 or made[0].line in module.inline:
        raise NotExplicit(
            nodes[0][0].id, "a clip goes in front of a definition that is made in several places"
        )
    (statement,) = made
    value = _clipped(draft, module, statement.value.id, known, statement.value.id)
    return [ReplaceStatement(statement.id, statement.line, (pieces(f"{name} = ", value),))]


def _mixed(draft: Draft, nodes: list[t.Name]) -> bool:
    return any(not all(isinstance(a, Definition) for a in draft.facts.value(n.id)) for n in nodes)
