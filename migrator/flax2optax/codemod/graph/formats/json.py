"""The graph as data; the fields only grow within one `schema_version`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from flax2optax.codemod.graph.shape import Graph

SCHEMA_VERSION = 1


def render(graph: Graph) -> str:
    """Return one JSON object."""
    return json.dumps(_plain(graph), indent=2, ensure_ascii=True) + "\n"


def _plain(graph: Graph) -> dict[str, Any]:
    """Fields by their names; the enumerations are strings already."""
    return {"schema_version": SCHEMA_VERSION, **asdict(graph)}
