"""One decision per group of flows: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from flax2optax.codemod.infer.flows import Union
from flax2optax.codemod.plan.edits import Finding, FlowPlan


def decide(flows: Sequence[FlowPlan], *, unsafe: bool) -> None:
    """Apply a group of flows that share files only if nothing stops or holds any of them."""
    for group in groups(flows):
        stopped = any(flow.blocked or flow.held for flow in group)
        assumptions = {text: None for flow in group for text in flow.assumptions}
        for flow in group:
            flow.applied = not stopped and (unsafe or not assumptions)
            flow.assumptions = assumptions


def hold(flows: Iterable[FlowPlan], unwanted: Callable[[Finding], bool]) -> None:
    """Keep back the flows with a finding that would be resolved and that nobody wants resolved."""
    for flow in flows:
        resolved = (one for one in flow.findings if not one.note and not one.blocks)
        flow.held = [one for one in resolved if unwanted(one)]


def groups(flows: Iterable[FlowPlan]) -> list[list[FlowPlan]]:
    """Sort flows into groups: those that share files, directly or through others, stand or fall together."""
    union = Union()
    by_file: dict[str, int] = {}
    flows = list(flows)
    for flow in flows:
        union.find(flow.root)
        for path in (*flow.files, *flow.beside):
            union.join((flow.root, by_file.setdefault(path, flow.root)))
    found: dict[int, list[FlowPlan]] = {}
    for flow in flows:
        found.setdefault(union.find(flow.root), []).append(flow)
    return list(found.values())
