"""The prefix that a logger puts before the names of metrics, in the user's own choice of graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losswise.arguments import checked_graphs
from losswise.naming import GraphChoice, title_of
from losswise.values.containers import to_dict


def prefixed(graphs: Mapping[str, Any] | None, prefix: str) -> dict[str, Any]:
    """Return the user's choices for metrics whose names get a prefix: their graphs get it as well.

    Args:
        graphs: as `Session` takes them. A choice for a name that already has the prefix is kept and takes precedence.
        prefix: without the slash; empty: nothing changes.

    Example:
        >>> prefixed({"my_score": ("quality", "max")}, "fold1")["fold1/my_score"]
        GraphChoice(title='fold1/quality', kind='max')
    """
    graphs = to_dict(graphs)
    if not prefix:
        return graphs
    found: dict[str, Any] = {}
    front = title_of(f"{prefix}/x")[:-1]  # empty where the prefix is a stage, such as 'val'
    for name, (title, kind) in checked_graphs(graphs).items():
        found[front + name] = found[f"{prefix}/{name}"] = GraphChoice(front + title, kind)
    return {**found, **graphs}
