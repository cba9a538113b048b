"""Types that are written out: what names them in one file changes only together with the flows of files that use the name."""

from __future__ import annotations

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import walk
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.edits import FlowPlan


def tie_types(draft: Draft) -> None:
    """Tie each file with types to the files that import it and use what the types belong to."""
    program = draft.facts.program
    typed = [
        (module, flow, names)
        for module in program.modules.values()
        if (flow := draft.flows.get(module.base)) is not None
        and (names := _typed_names(module, flow))
    ]
    if not typed:
        return
    imports = {
        module.path: {path for one in module.imports for path in program.targets(module.path, one)}
        for module in program.modules.values()
    }
    for module, flow, names in typed:
        reached = {module.path}
        for _ in range(3):  # through packages that hand names on
            for other, targets in imports.items():
                if reached & targets:
                    if names & program.words(other):
                        flow.beside[other] = None
                    if other.endswith("__init__.py"):
                        reached.add(other)


def _typed_names(module: t.Module, flow: FlowPlan) -> set[str]:
    """The names at the top of a file whose definitions have a type that changes."""
    nodes = [one.node for one in flow.findings if one.code == "FXO801"]
    return {name for node in nodes for name in _names_around(module, node)}


def _names_around(module: t.Module, node: NodeId) -> set[str]:
    """What the statement at the top of a file that has this node binds."""
    around = [statement for statement in module.body if statement.id <= node][-1:]
    found = set()
    for inner, above in walk(tuple(around)):
        if any(isinstance(one, t.Function | t.Class) for one in above):
            continue
        if isinstance(inner, t.Function | t.Class) or (
            isinstance(inner, t.Name) and isinstance(above[-1], t.Assign | t.AnnAssign)
        ):
            found.add(inner.name)
    return found
