"""The chosen sessions of the table as a file."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import Any

import pytest
import requests

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.people import person
from tests.support.server import Server

pytestmark = pytest.mark.full_on_postgresql


@pytest.fixture
def project(server: Server) -> str:
    return f"export {records.new_id()}"


def make(server: Server, project: str, **given: Any) -> Writing:
    return Writing(server, project=project, **{"tag": "run", **given})


def export(server: Server, **body: Any) -> requests.Response:
    return server.request("POST", "/api/v2/sessions/export", json=body)


def cells(response: requests.Response) -> list[list[str]]:
    assert response.status_code == 200, response.text
    return list(csv.reader(io.StringIO(response.content.decode("utf-8"), newline="")))


def test_a_csv_file_has_the_named_columns_with_every_digit(server: Server, project: str) -> None:
    started = time.time() - 100
    params = {"seed": 9007199254740993, "model": {"depth": 18}, "on": True, "betas": [0.9, 1], "a.b": 1e-7}
    run = make(server, project, created_at=started, tag='a "b", c\nd', tags=["x", "y"], params=params, max_iter=10)
    run.points(run.graph(), [0, 1], loss=[0.1 + 0.2, 7])
    run.points(run.graph("odd"), [0], odd=["NaN"])
    run.end(t=started + 60)
    columns = "tag status created elapsed progress iter tags params.seed params.model.depth params.on params.betas"
    columns += " params.a.b params.none min(loss) last(loss) count(loss) min(odd) values.none"
    answer = export(server, sessions=[run.session], columns=columns.split())
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="sessions-')
    assert answer.headers["Losswise-Sessions"] == "1"
    head, line = cells(answer)
    assert head == columns.split()
    row = dict(zip(head, line, strict=True))
    assert row.pop("created").startswith(time.strftime("%Y-%m-%dT", time.gmtime(started)))
    assert 55 < float(row.pop("elapsed")) < 65
    assert row == {
        "tag": 'a "b", c\nd',
        "status": "complete",
        "progress": "1.0",
        "iter": "1",
        "tags": "x, y",
        "params.seed": "9007199254740993",
        "params.model.depth": "18",
        "params.on": "true",
        "params.betas": "[0.9, 1]",
        "params.a.b": "1e-07",
        "params.none": "",
        "min(loss)": "0.30000000000000004",
        "last(loss)": "7.0",
        "count(loss)": "2",
        "min(odd)": "",
        "values.none": "",
    }


def test_json_lines_have_the_rows_of_the_list(server: Server, project: str) -> None:
    for n in range(3):
        make(server, project, tag=f"run-{n}", params={"n": n})
    matching = {"project_id": server.project_id(project), "q": "n>0"}
    answer = export(server, matching=matching, format="jsonl", sort="tag")
    assert answer.headers["Losswise-Sessions"] == "2"
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert found == server.get("/api/v2/sessions", project=project, q="n>0", sort="tag")["sessions"]


def test_more_sessions_than_a_chunk_in_the_order_of_the_table(server: Server, project: str) -> None:
    count = 230
    batch = [make(server, project, tag=f"run-{n:03}") for n in range(count)]
    matching = {"project_id": server.project_id(project), "except": [batch[7].session]}
    lines = cells(export(server, matching=matching, columns=["tag"], sort="-tag"))
    assert lines == [["tag"], *([f"run-{n:03}"] for n in reversed(range(count)) if n != 7)]


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-1+2", "'-1+2"),
        ("+cmd", "'+cmd"),
        ("-1.5", "-1.5"),
        ("a=1", "a=1"),
    ],
)
def test_a_text_is_no_formula_in_a_spreadsheet(server: Server, project: str, tag: str, written: str) -> None:
    run = make(server, project, tag=tag)
    assert cells(export(server, sessions=[run.session], columns=["tag"])) == [["tag"], [written]]


def test_nothing_is_a_file_with_a_head(server: Server, project: str) -> None:
    make(server, project)
    matching = {"project_id": server.project_id(project), "q": "nothing-like-it"}
    answer = export(server, matching=matching)
    assert answer.headers["Losswise-Sessions"] == "0"
    assert [line[:3] for line in cells(answer)] == [["id", "tag", "status"]]


def test_who_may_read_may_export(server: Server, project: str) -> None:
    run = make(server, project)
    body = {"matching": {"project_id": server.project_id(project)}, "columns": ["tag"]}
    ids = {"sessions": [run.session], "columns": ["tag"]}
    viewer = person(server, "viewer")
    stranger = person(server, None)
    for what in (body, ids):
        assert cells(viewer.post(server.url + "/api/v2/sessions/export", json=what, timeout=30)) == [["tag"], ["run"]]
    address = server.url + "/api/v2/sessions/export"
    assert stranger.post(address, json=body, timeout=30).status_code == 404
    answer = stranger.post(address, json=ids, timeout=30)
    assert (answer.status_code, answer.headers["Losswise-Sessions"]) == (200, "0")
    assert requests.post(address, json=ids, timeout=30).status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"sessions": [], "format": "xls"}, {"sessions": [], "columns": "tag"}, {"sessions": ["0" * 20], "sort": "no"}],
)
def test_requests_that_are_wrong(server: Server, project: str, body: dict[str, Any]) -> None:
    run = make(server, project)
    if body.get("sessions"):
        body = {**body, "sessions": [run.session]}
    answer = export(server, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
