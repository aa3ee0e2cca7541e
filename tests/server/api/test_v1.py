"""The v1 protocol, call by call, as the published clients send it."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from tests.support.server import Server

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def call(server: Server, method: str, path: str, body: Any, **options: Any) -> Any:
    answer = server.request(method, "/api/v1" + path, json=body, **options)
    result = answer.json()
    assert set(result) >= {"success", "error"}
    assert result["success"] is (answer.status_code < 400)
    assert isinstance(result["error"], str)
    assert result["success"] or result["error"]
    return result


def taken(server: Server, method: str, path: str, body: Any) -> Any:
    """The response to a call of which everything is stored."""
    result = call(server, method, path, body)
    assert (result["success"], result["error"]) == (True, "")
    return result


def new_session(server: Server, **fields: Any) -> str:
    return call(server, "POST", "/sessions", {"tag": "v1", "max_iter": 10, **fields})["session_id"]


def new_graph(server: Server, session: str, title: str = "loss", kind: Any = "min") -> str:
    body = {"session_id": session, "title": title, "xlabel": "", "ylabel": "", "kind": kind, "display_interval": 1}
    return call(server, "POST", "/graphs", body)["graph_id"]


def point(session: str, graph: str, x: Any, y: dict[str, Any]) -> dict[str, Any]:
    return {"x": x, "y": y, "time": int(time.time()), "graph_id": graph, "session_id": session}


def test_a_run_of_the_published_client(server: Server) -> None:
    session = new_session(
        server,
        params={"lr": 0.1},
        env={"BUILDKITE_REPO": "r", "MY_TOKEN": "secret"},
        git={"diff": "+", "branch": "main", "url": "https://me:secret@example.com/u.git"},
        info={"note": "*x*"},
        lbr_build_uuid="",
    )
    graph = new_graph(server, session)
    assert new_graph(server, session) == graph
    points = [point(session, graph, x, {"train_loss": 1.0 / (x + 1)}) for x in range(10)]
    stats = {graph: {"train_loss": {"min": -99}, "x": {"max": 9}, "xper": {"max": 1.0}}}
    call(server, "POST", "/point-list", {"point_list": points, "stats_map": stats})
    call(server, "POST", "/point-list", {"point_list": [], "stats_map": {}})
    call(server, "POST", "/values", {"session_id": session, "values": {"best": 0.5}})
    assert server.session(session)["status"] == "active"
    call(server, "PATCH", f"/sessions/{session}", {"attributes": {"status": "active"}})
    call(server, "PATCH", f"/sessions/{session}", {"attributes": {"status": "complete"}})
    row = server.session(session)
    assert (row["status"], row["progress"], row["protocol"]) == ("complete", 1.0, 1)
    assert row["stats"]["train_loss"] == {"min": 0.1, "max": 1.0, "last": 0.1, "count": 10}
    assert row["params"] == {"lr": 0.1}
    assert row["values"] == {"best": 0.5}
    assert row["env"] == {"BUILDKITE_REPO": "r"}
    assert row["git"] == {"diff": "+", "branch": "main", "url": "https://example.com/u.git"}
    assert row["info"] == {"note": "*x*"}
    assert server.points(graph)["train_loss"]["x"] == list(range(10))
    # a complete session stays so, and its late points are kept
    call(server, "POST", "/points", point(session, graph, 10, {"train_loss": 0.01}))
    assert server.session(session)["status"] == "complete"
    assert server.points(graph)["train_loss"]["y"][-1] == 0.01


def test_old_releases(server: Server) -> None:
    session = call(server, "POST", "/sessions", {"tag": "0.2"})["session_id"]
    graph = new_graph(server, session, kind="")
    call(server, "POST", "/points", {**point(session, graph, 0, {"a": 1}), "stats": {}})
    assert server.session(session)["graphs"][0]["kind"] is None
    older = call(server, "POST", "/sessions", {"tag": "0.8", "data": {"n": 1}})["session_id"]
    assert server.session(older)["params"] == {"n": 1}


def test_images(server: Server) -> None:
    session = new_session(server)
    body = {"session_id": session, "name": "val", "x": 3, "type": "image"}
    sequence = call(server, "POST", "/prediction-sequences", body)["prediction_sequence_id"]
    image = {
        "prediction_sequence_id": sequence,
        "image": base64.b64encode(PNG).decode(),
        "image_id": "cat",
        "outputs": {"p": 0.5},
        "metrics": {"iou": 0.25},
    }
    call(server, "POST", "/image-prediction", image)
    [shown] = server.session(session)["images"]
    assert (shown["sequence"], shown["x"], shown["image_id"]) == ("val", 3, "cat")
    assert (shown["width"], shown["height"], shown["outputs"]) == (1, 1, {"p": 0.5})
    blob = server.request("GET", f"/api/v2/sessions/{session}/blobs/{shown['sha256']}")
    assert blob.content == PNG


def test_bare_nan_tokens_are_read(server: Server) -> None:
    session = new_session(server)
    graph = new_graph(server, session)
    body = (
        '{"point_list": [{"x": 0, "y": {"a": NaN, "b": -Infinity}, "time": 1, '
        f'"graph_id": "{graph}", "session_id": "{session}"}}], "stats_map": {{}}}}'
    )
    answer = server.request("POST", "/api/v1/point-list", data=body)
    assert answer.json() == {"success": True, "error": ""}
    assert server.points(graph)["a"]["y"] == ["NaN"]
    assert server.points(graph)["b"]["y"] == ["-Infinity"]


def test_points_that_share_an_x_are_all_kept(server: Server) -> None:
    session = new_session(server)
    graph = new_graph(server, session)
    points = [point(session, graph, 5, {"a": 1.0}), point(session, graph, 5, {"b": 2.0}), point(session, graph, 5, {})]
    call(server, "POST", "/point-list", {"point_list": points, "stats_map": {}})
    series = server.points(graph)
    assert (series["a"]["y"], series["b"]["y"]) == ([1.0], [2.0])


def refusals(session: str, graph: str) -> list[tuple[str, str, Any]]:
    good = point(session, graph, 0, {"a": 1.0})
    return [
        ("POST", "/sessions", []),
        ("PATCH", "/sessions/" + "0" * 20, {"attributes": {"status": "active"}}),
        ("PATCH", f"/sessions/{session}", {"attributes": {"status": "great"}}),
        ("PATCH", f"/sessions/{session}", {}),
        ("POST", "/graphs", {"title": "loss"}),
        ("POST", "/graphs", {"session_id": "unknown", "title": "loss"}),
        ("POST", "/point-list", {}),
        ("POST", "/point-list", {"point_list": [{**good, "session_id": "0" * 20}], "stats_map": {}}),
        ("POST", "/points", {**good, "session_id": "0" * 20}),
        ("POST", "/values", {"session_id": session, "values": [1]}),
        ("POST", "/values", {"session_id": "0" * 20, "values": {"a": 1}}),
        ("POST", "/values", {"values": {}}),
        ("POST", "/prediction-sequences", {"session_id": session, "x": "one"}),
        ("POST", "/prediction-sequences", {"session_id": session, "x": 2**63}),
        ("POST", "/image-prediction", {"prediction_sequence_id": "0" * 20, "image": ""}),
        ("POST", "/nowhere", {}),
        ("GET", "/sessions", None),
    ]


@pytest.mark.parametrize("number", range(17))
def test_errors_are_json_with_success_and_error(server: Server, number: int) -> None:
    session = new_session(server)
    graph = new_graph(server, session)
    method, path, body = refusals(session, graph)[number]
    result = call(server, method, path, body)
    assert result["success"] is False
    assert server.points(graph) == {}


def test_wrong_keys_and_bodies(server: Server) -> None:
    for key in ("wrong", "ключ".encode().decode("latin-1")):
        answer = server.request("POST", "/api/v1/sessions", json={"tag": "x"}, key=key)
        assert answer.status_code == 401
        assert answer.json()["success"] is False
        assert "key" in answer.json()["error"]
    for data in (b"", b"{", b"\xff", b"{" * 50_000):
        answer = server.request("POST", "/api/v1/sessions", data=data)
        assert answer.status_code == 400
        assert answer.json()["success"] is False
    large = server.request("POST", "/api/v1/sessions", data=b"x" * (33 * 1024 * 1024))
    assert (large.status_code, large.json()["success"]) == (413, False)


def test_an_empty_point_is_ignored(server: Server) -> None:
    session = new_session(server)
    graph = new_graph(server, session)
    call(server, "POST", "/points", point(session, graph, 0, {}))
    call(
        server, "POST", "/point-list", {"point_list": [point(session, graph, x, {}) for x in range(3)], "stats_map": {}}
    )
    call(server, "POST", "/points", point(session, graph, 1, {"a": 10**400}))
    assert server.points(graph)["a"]["y"] == ["Infinity"]
    late = {**point(session, graph, 2, {"a": 1.0}), "time": 1e300}
    call(server, "POST", "/points", late)
    assert abs(server.points(graph)["a"]["t"][-1] - time.time()) < 60
    assert call(server, "PATCH", f"/sessions/{session}", {"attributes": {"status": "failed"}})["success"] is False
