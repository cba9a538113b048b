"""Where a finding is, in one line."""

from flax2optax.codemod.diagnostic import Location
from flax2optax.codemod.summary.frame import visible
from flax2optax.codemod.summary.report import Finding, State


def place_of(location: Location) -> str:
    """Return `path:line:column`, or `path:cell 3:line:column` in a notebook."""
    cell = f"cell {location.cell}:" if location.cell is not None else ""
    return f"{visible(location.path)}:{cell}{location.line}:{location.column}"


def mark_of(finding: Finding) -> str:
    """Return the mark of a finding that has a fix."""
    return {State.FIXABLE: "[*] ", State.UNSAFE: "[unsafe] ", State.NOTE: "[note] "}.get(
        finding.state, ""
    )
