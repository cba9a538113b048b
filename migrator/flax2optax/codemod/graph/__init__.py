"""Facts and plan to a picture. In: what the analysis found and what was decided. Out: a `Graph`, and its text in a format.

Never: decides anything, writes files, shows a character that the format or a terminal would obey.
"""

from importlib import import_module
from typing import Protocol, cast

from flax2optax.codemod.graph.shape import Graph

__all__ = ["FORMATS", "Graph", "render"]

FORMATS = ("dot", "json", "mermaid", "text")


class _Format(Protocol):
    """A module of `formats`."""

    def render(self, graph: Graph) -> str:
        """Return the whole graph, ending in a line end."""
        ...


def render(graph: Graph, name: str) -> str:
    """Return the graph in one of `FORMATS`. Only the asked format is imported."""
    module = import_module(f"flax2optax.codemod.graph.formats.{name}")
    return cast(_Format, module).render(graph)
