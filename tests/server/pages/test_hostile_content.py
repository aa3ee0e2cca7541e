"""What a server takes it can show: on the session's page, the project's page, in the API and in live events.

Databases hold what earlier versions took: lists that are nested a thousand levels deep, lists where texts belong.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import text

from losswise.protocol import limits, records
from tests.support.batches import Writing
from tests.support.database.rows import database, key_of
from tests.support.network.stream import Stream
from tests.support.server import Server


def deep(levels: int, name: str = "") -> str:
    """JSON of lists in lists, or of objects in objects with this name."""
    start, end = (f'{{"{name}":', "}") if name else ("[", "]")
    return start * levels + '"the end"' + end * levels


def check_everything_is_shown(server: Server, run: Writing) -> None:
    """The details page, the list, the session, fields, series, live events, another batch, search and sorting."""
    browser = server.signed_in()
    details = browser.get(f"{server.url}/s/{run.session}/details", timeout=30)
    assert details.status_code == 200, details.text[:500]
    assert browser.get(f"{server.url}/s/{run.session}", timeout=30).status_code == 200
    project = server.project_id()
    assert browser.get(f"{server.url}/projects/{project}", timeout=30).status_code == 200
    stream = Stream(server, project_id=project, session=[run.session])
    stream.wait("hello")
    given = server.session(run.session)
    deep_ones = [{"sort": f"-{group}.deep"} for group in ("params", "values") if "deep" in given[group]]
    for asked in ({}, {"q": run.session[:4]}, {"sort": "progress"}, *deep_ones):
        listed = server.get("/api/v2/sessions", limit=1_000, **asked)["sessions"]
        assert asked.get("q") or any(row["id"] == run.session for row in listed)
    server.get("/api/v2/sessions/fields", project_id=project)
    server.get("/api/v2/sessions/field_values", project_id=project, field="deep")
    for graph in run.row()["graphs"]:
        server.get("/api/v2/series", graph=graph["id"], width=100)
        server.points(graph["id"])
    run.send(
        records.values_record({"after": 1}),
        records.session_record(params={"after": 2}, git={"commit": "c"}, env={"after": "3"}),
        records.text_record("notes", "after"),
    )
    row = stream.wait("session", lambda data: data["id"] == run.session and data["values"].get("after") == 1)
    assert row["params"]["after"] == 2
    assert server.session(run.session)["env"]["after"] == "3"
    stream.close()


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize("levels", [pytest.param(64, marks=pytest.mark.full), 970, 20_000])
@pytest.mark.parametrize("name", ["", "a"], ids=["lists", "objects"])
@pytest.mark.parametrize("protocol", [1, 2])
def test_deep_params_are_taken_and_shown(server: Server, levels: int, name: str, protocol: int) -> None:
    params = f'{{"flat": 1, "deep": {deep(levels, name)}}}'
    run = Writing(server)
    if protocol == 1:
        body = f'{{"tag": "deep", "params": {params}, "git": {{"diff": {deep(levels, name)}}}}}'
        answer = server.request("POST", "/api/v1/sessions", data=body)
        run.session = answer.json()["session_id"]
        run.seq = 0
    else:
        fields = f'"session": "{run.session}", "writer": "{run.writer}", "seq": {run.seq + 1}'
        record = f'{{"type": "session", "params": {params}, "git": {{"diff": {deep(levels, name)}}}}}'
        run.seq += 1
        answer = server.request("POST", "/api/v2/batches", data=f'{{{fields}, "records": [{record}]}}')
    assert answer.status_code == 200, answer.text[:500]
    assert server.session(run.session)["params"]["flat"] == 1
    check_everything_is_shown(server, run)


STORED: list[tuple[str, str, str]] = [
    ("sessions", "params", f'{{"flat": 1, "deep": {deep(970)}}}'),
    ("sessions", "params", f'{{"flat": 1, "deep": {deep(4_000)}}}'),
    ("sessions", "params", deep(970, "deep")),
    ("sessions", "params", f'{{"deep": {10**400}, "x": {2**70}}}'),
    ("sessions", "values", f'{{"flat": 1, "deep": {deep(970)}}}'),
    ("sessions", "values", deep(4_000, "deep")),
    ("session_metadata", "git", '{"diff": 5, "branch": ["main"], "commit": null, "url": {"a": 1}}'),
    ("session_metadata", "git", f'{{"diff": {deep(970)}, "branch": {deep(4_000)}}}'),
    ("session_metadata", "info", f'{{"a list": ["x"], "a number": 5, "nothing": null, "deep": {deep(970)}}}'),
    ("session_metadata", "env", f'{{"a list": ["x"], "deep": {deep(970, "a")}}}'),
    ("session_metadata", "error", f'{{"type": ["E"], "message": {deep(970)}, "traceback": 5}}'),
    ("images", "metrics", f'{{"a": [1], "b": {{"c": 2}}, "d": "high", "e": true, "f": {10**400}, "g": {deep(970)}}}'),
    ("images", "outputs", f'{{"a": [1], "deep": {deep(4_000)}}}'),
]


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize(("table", "column", "value"), STORED, ids=[str(number) for number in range(len(STORED))])
def test_what_earlier_versions_have_stored_is_shown(server: Server, table: str, column: str, value: str) -> None:
    run = Writing(server, params={"p": 1}, git={"diff": "+"}, env={"e": "1"}, info={"i": "x"})
    run.points(run.graph(), [0, 1], a=[1.0, 2.0])
    run.send(records.values_record({"v": 1}), records.image_record("s", 1, "i", "0" * 64, 1, 1, {"o": 1}, {"m": 1}))
    Writing(server, run.session).end("failed", error={"type": "E", "message": "m"})
    key = key_of(server, run.session)
    with database(server) as connection:
        stored = "CAST(:value AS json)" if connection.dialect.name == "postgresql" else ":value"
        own = "key" if table == "sessions" else "session_key"
        connection.execute(
            text(f'UPDATE {table} SET "{column}" = {stored} WHERE {own} = :key'), {"value": value, "key": key}
        )
    check_everything_is_shown(server, run)


@pytest.mark.full_on_postgresql
def test_the_largest_step_is_shown_and_sorted_by(server: Server) -> None:
    for x in (2**63 - 1, -(2**63)):
        run = Writing(server, max_iter=2**63 - 1)
        graph = run.graph()
        run.points(graph, [0, x], [time.time() - 5, time.time()], a=[1.0, 2.0])
        run.send(records.text_record("notes", "here", x), records.image_record("s", x, "i", "0" * 64))
        assert run.row()["eta"] is None or run.row()["eta"] < limits.LATEST_TIME_S
        check_everything_is_shown(server, run)


@pytest.mark.full
def test_values_at_their_limits_are_shown(server: Server) -> None:
    run = Writing(server)
    lists: Any = 1
    for _ in range(limits.MAX_JSON_DEPTH - 1):
        lists = [lists]
    run.send(records.values_record({"deep": lists, "n" * limits.MAX_NAME_LENGTH: "x" * 1_000_000}))
    check_everything_is_shown(server, run)
