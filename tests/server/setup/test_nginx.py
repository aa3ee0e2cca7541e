"""Live events pass an nginx with its default configuration, which buffers responses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import Writing
from tests.support.network.nginx import Nginx
from tests.support.network.stream import Stream
from tests.support.server import Server


@pytest.fixture
def nginx(server: Server, tmp_path: Path) -> Iterator[Nginx]:
    nginx = Nginx(tmp_path, server.port)
    yield nginx
    nginx.stop()


def steps(data: dict[str, Any], graph: str) -> list[int]:
    return data["graphs"].get(graph, {"series": {}})["series"].get("loss", {"x": []})["x"]


def test_events_pass_nginx_as_they_come(server: Server, nginx: Nginx) -> None:
    run = Writing(server, tag="behind nginx")
    graph = run.graph()
    stream = Stream(server, nginx.url, project_id=server.project_id(), session=run.session)
    assert "nginx" in stream.answer.headers["Server"]
    stream.wait("hello", timeout=3)
    for x in range(5):
        run.points(graph, [x], loss=[1.0])
        # each within a moment of its own: a buffer would hold them until there are some thousand bytes
        stream.wait("points", lambda data, x=x: x in steps(data, graph), timeout=3)  # type: ignore[misc]
    run.end()
    stream.wait("session", lambda data: data["status"] == "complete", timeout=3)
    stream.close()
