"""One flow on its way into the explicit form: the places it passes, and who names its halves there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flax2optax.codemod.index import tree as t
from flax2optax.codemod.index.tree import NodeId
from flax2optax.codemod.index.walk import Node
from flax2optax.codemod.infer.values import Optimizer, Value, leaves
from flax2optax.codemod.plan.draft import Draft
from flax2optax.codemod.plan.explicit_names import Halves, Namer, scope_of
from flax2optax.codemod.plan.explicit_tx import Transformation
from flax2optax.codemod.plan.occurrences import Occurrence
from flax2optax.codemod.plan.passages import Passage, Passages
from flax2optax.codemod.plan.rates import FlowFacts


@dataclass
class Explicit:
    """One flow being written; which may pass through several files."""

    draft: Draft
    root: NodeId
    uses: list[Occurrence]
    known: FlowFacts
    passages: Passages
    namers: dict[NodeId, Namer] = field(default_factory=dict)
    tx: Transformation = field(init=False)

    @property
    def nodes(self) -> list[Passage]:
        """The expressions that may hold one of its optimizers."""
        return self.passages.optimizers.get(self.root, [])

    def module(self, node: NodeId) -> t.Module:
        """The file a node stands in."""
        return self.draft.facts.program.owner(node)

    @property
    def modules(self) -> list[t.Module]:
        """The files it passes through."""
        found = dict.fromkeys(self.module(node.id).base for node, _ in self.nodes)
        return [self.module(base) for base in found]

    def holds(self, value: Value) -> bool:
        """Whether a value is an optimizer of this flow."""
        find = self.draft.facts.flows.find
        return any(isinstance(a, Optimizer) and find(a.site) == self.root for a in value)

    def holds_inside(self, value: Value) -> bool:
        """Whether an optimizer of this flow is somewhere in a value."""
        return self.holds(frozenset(leaves(value)))

    def halves(self, node: t.Name, above: Sequence[Node]) -> Halves:
        """The names of the optimizer a name stands for."""
        module = self.module(node.id)
        return self.namer(module).halves(scope_of(node.name, above, module), node.name)

    def namer(self, module: t.Module) -> Namer:
        """Who chooses the names in a file."""
        if module.base not in self.namers:
            named = [
                (node, above)
                for node, above in self.nodes
                if isinstance(node, t.Name) and self.module(node.id) is module
            ]
            others = self.draft.claimed(module, self.root)
            self.namers[module.base] = Namer(module, named, others)
        return self.namers[module.base]
