"""Which files must be written together: those that share a flow, directly or through other files."""

from collections.abc import Sequence

from flax2optax.codemod.outcome import FileChange, FlowSummary


def groups_of(
    changes: Sequence[FileChange], flows: Sequence[FlowSummary]
) -> list[list[FileChange]]:
    """Return the changes in groups, in their own order. A file without a flow is a group of its own."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for flow in flows:
        if flow.applied:
            for name in flow.files[1:]:
                leader[find(name)] = find(flow.files[0])
    groups: dict[str, list[FileChange]] = {}
    for change in changes:
        groups.setdefault(find(change.source.display), []).append(change)
    return list(groups.values())
