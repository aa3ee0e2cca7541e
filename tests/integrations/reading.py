"""What a session holds, as the read API gives it."""

from __future__ import annotations

from typing import Any

from tests.support.server import Server


def columns(server: Server, session: Any) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """All points of a session: graph title -> name -> (x, y) in order."""
    return {
        graph["title"]: {
            name: list(zip(series["x"], series["y"], strict=True))
            for name, series in server.points(graph["id"]).items()
        }
        for graph in session["graphs"]
    }
