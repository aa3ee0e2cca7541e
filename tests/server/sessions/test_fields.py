"""What can be asked of a project's sessions: the fields and values that exist, with how many sessions have them."""

from __future__ import annotations

from typing import Any

import pytest
from losswise_server.query.parser import parse

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server


@pytest.fixture
def project(server: Server) -> str:
    return f"fields {records.new_id()}"


def fields(server: Server, project: str) -> dict[str, Any]:
    found = server.get("/api/v2/sessions/fields", project=project)
    assert found["more"] is False
    return {field["field"]: field for field in found["fields"]}


def values(server: Server, project: str, field: str, **asked: Any) -> list[tuple[Any, int]]:
    found = server.get("/api/v2/sessions/field_values", project=project, field=field, **asked)
    assert found["field"] == field
    return [(one["value"], one["count"]) for one in found["values"]]


def make(server: Server, project: str, **given: Any) -> Writing:
    return Writing(server, project=project, **{"tag": "run", **given})


def test_params_and_values_with_their_kinds(server: Server, project: str) -> None:
    make(server, project, params={"lr": 0.1, "mixed": 1, "flag": True, "layers": [1], "nothing": None, "a b": "x"})
    make(server, project, params={"lr": 1, "mixed": "one", "tag": "x", "empty": {}, "params.odd": "NaN"})
    run = make(server, project, params={"optimizer": {"name": "adam", "betas": [1, 2], "deep": {"er": 1}, "a.b": 1}})
    run.send(records.values_record({"best": 0.5, "nested": {"x": 1}}))
    found = fields(server, project)
    assert {
        field: (one["group"], one["name"], one["kind"], one["sessions"], one["sort"])
        for field, one in found.items()
        if one["group"] in ("params", "values")
    } == {
        "lr": ("params", "lr", "number", 2, "params.lr"),
        "mixed": ("params", "mixed", "mixed", 2, "params.mixed"),
        "flag": ("params", "flag", "boolean", 1, "params.flag"),
        "layers": ("params", "layers", "list", 1, "params.layers"),
        '"a b"': ("params", "a b", "text", 1, "params.a b"),
        "params.tag": ("params", "tag", "text", 1, "params.tag"),
        "params.params.odd": ("params", "params.odd", "number", 1, "params.params.odd"),
        "optimizer.name": ("params", "optimizer.name", "text", 1, "params.optimizer.name"),
        "optimizer.betas": ("params", "optimizer.betas", "list", 1, "params.optimizer.betas"),
        "optimizer.deep.er": ("params", "optimizer.deep.er", "number", 1, "params.optimizer.deep.er"),
        "values.best": ("values", "best", "number", 1, "values.best"),
        "values.nested.x": ("values", "nested.x", "number", 1, "values.nested.x"),
    }


def test_each_field_finds_the_sessions_that_it_counts_and_sorts_them(server: Server, project: str) -> None:
    for number in range(6):
        run = make(
            server,
            project,
            group="even" if number % 2 == 0 else None,
            tags=["t"] if number > 3 else [],
            params={"lr": number, "a b": {"c d": number}} if number else {},
            max_iter=10 if number % 3 else None,
            git={"commit": "c" * 40, "branch": "main", "diff": "d" * 100} if number > 1 else None,
            env={"host": f"h{number}", "user": "ada"} if number > 2 else None,
        )
        run.points(run.graph(), [1, 2], loss=[number, 1.0])
        if number == 5:
            run.points(run.graph("nan"), [1, 2], None, **{"all nan": ["NaN", "NaN"]})
        if number == 4:
            run.end("failed", reason="error")
    found = fields(server, project)
    assert found["min(loss)"]["sessions"] == 6
    assert 'min("all nan")' not in found
    assert found['count("all nan")']["sessions"] == 1
    for field, one in found.items():
        assert parse(f"has({field})") is not None
        page = server.get("/api/v2/sessions", project=project, q=f"has({field})", limit=1)
        assert page["total"] == one["sessions"], field
        if one["sort"] and one["sessions"]:
            server.get("/api/v2/sessions", project=project, sort=one["sort"])


def test_the_columns(server: Server, project: str) -> None:
    make(server, project, group="g", tags=["x"], git={"commit": "abc", "branch": "b"}, env={"host": "h", "user": "u"})
    make(server, project, tag="")
    found = fields(server, project)
    assert {name: found[name]["kind"] for name in ("tag", "tags", "created", "elapsed", "progress", "iter")} == {
        "tag": "text", "tags": "list", "created": "time", "elapsed": "duration", "progress": "number", "iter": "number"
    }  # fmt: skip
    assert {name: found[name]["sessions"] for name in ("tag", "group", "tags", "commit", "branch", "host", "user")} == {
        "tag": 1, "group": 1, "tags": 1, "commit": 1, "branch": 1, "host": 1, "user": 1
    }  # fmt: skip
    assert found["status"]["sessions"] == found["created"]["sessions"] == 2
    assert found["ended"]["sessions"] == 0


def test_fields_follow_changes_and_deletions(server: Server, project: str) -> None:
    run, other = make(server, project, params={"lr": 1}), make(server, project, params={"lr": 2})
    assert fields(server, project)["lr"]["sessions"] == 2
    run.send(records.session_record(params={"lr": "high", "late": True}))
    found = fields(server, project)
    assert (found["lr"]["kind"], found["late"]["sessions"]) == ("mixed", 1)
    server.request("DELETE", f"/api/v2/sessions/{run.session}")
    found = fields(server, project)
    assert (found["lr"]["kind"], found["lr"]["sessions"]) == ("number", 1)
    assert "late" not in found
    server.request("DELETE", f"/api/v2/sessions/{other.session}")
    make(server, project)  # a project without sessions stays readable, with one it is simpler to ask for
    assert "lr" not in fields(server, project)


def test_projects_do_not_mix(server: Server, project: str) -> None:
    make(server, project, params={"mine": 1})
    make(server, f"{project} too", params={"theirs": 1})
    assert "theirs" not in fields(server, project)
    assert values(server, project, "theirs") == []
    for path in ("fields", "field_values"):
        asked = {"project": f"{project} no", "field": "lr"}
        assert server.request("GET", f"/api/v2/sessions/{path}", params=asked).status_code == 404
        assert server.request("GET", f"/api/v2/sessions/{path}", params=asked, key="lw_wrong").status_code == 401


VALUES: list[Any] = [
    "adam",
    "adam",
    "sgd",
    1,
    1.0,
    0.1,
    True,
    True,
    True,
    "true",
    "Adamw",
    "NaN",
    [1],
    {"a": 1},
    None,
    "",
]


def test_values_with_their_counts_the_most_frequent_first(server: Server, project: str) -> None:
    for value in [*VALUES, "x" * 500]:
        make(server, project, params={"p": value, "deep": {"p": value}})
    expected = [(True, 3), (1, 2), ("adam", 2), (0.1, 1), ("", 1), ("Adamw", 1), ("NaN", 1), ("sgd", 1), ("true", 1)]
    for field in ("p", "deep.p"):
        found = values(server, project, field)
        assert sorted(map(repr, found)) == sorted(map(repr, expected))  # 1 is not True
        assert [count for _, count in found] == [3, 2, 2, *[1] * 6]
    assert values(server, project, "p", prefix="AD") == [("adam", 2), ("Adamw", 1)]
    assert values(server, project, "p", prefix="tr") == [(True, 3), ("true", 1)]
    assert values(server, project, "p", prefix="0.") == [(0.1, 1)]
    assert values(server, project, "p", limit=1) == [(True, 3)]


def test_values_of_columns_and_statistics(server: Server, project: str) -> None:
    for number in range(4):
        run = make(
            server,
            project,
            tag=f"run {number // 2}",
            tags=["both", f"t{number}"],
            env={"host": "node"},
            git={"commit": "f" * 40},
            max_iter=10,
        )
        run.points(run.graph(), [1], loss=[number // 3 + 0.5])
        if number:
            run.end()
    assert values(server, project, "tag") == [("run 0", 2), ("run 1", 2)]
    assert values(server, project, "tags") == [("both", 4), ("t0", 1), ("t1", 1), ("t2", 1), ("t3", 1)]
    assert values(server, project, "tags", prefix="b") == [("both", 4)]
    assert values(server, project, "status") == [("complete", 3), ("active", 1)]
    assert values(server, project, "host") == [("node", 4)]
    assert values(server, project, "commit") == [("f" * 40, 4)]
    assert values(server, project, "max_iter") == [(10, 4)]
    assert values(server, project, "min(loss)") == [(0.5, 3), (1.5, 1)]
    assert values(server, project, "count(loss)") == [(1, 4)]
    for field in ("created", "elapsed", "group", "branch", "reason"):
        assert values(server, project, field) == []
    answer = server.request("GET", "/api/v2/sessions/field_values", params={"project": project, "field": "a=1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")


def test_a_query_is_told_apart(server: Server) -> None:
    found = server.get("/api/v2/sessions/parse", q="lr<=0.01 and not failed")
    assert [(term["kind"], term["negated"], term["start"], term["end"]) for term in found["terms"]] == [
        ("term", False, 0, 8),
        ("word", True, 13, 23),
    ]
    assert server.get("/api/v2/sessions/parse", q="a or b") == {"terms": None}
    assert server.get("/api/v2/sessions/parse", q="") == {"terms": []}
    wrong = server.request("GET", "/api/v2/sessions/parse", params={"q": "lr<="})
    assert wrong.status_code == 400
    assert wrong.json() == {
        "error": "a value is missing after '<='", "code": "bad_query", "start": 2, "end": 4
    }  # fmt: skip
    assert server.request("GET", "/api/v2/sessions/parse", params={"q": "a"}, key="lw_wrong").status_code == 401


def test_rows_have_commit_branch_host_and_user(server: Server, project: str) -> None:
    run = make(server, project, git={"commit": "abc", "branch": "topic"}, env={"host": "h", "user": "ada"})
    bare = make(server, project, env={"host": 5, "user": ""})
    names = ("commit", "branch", "host", "user")
    rows = {row["id"]: row for row in server.get("/api/v2/sessions", project=project)["sessions"]}
    assert [rows[run.session][name] for name in names] == ["abc", "topic", "h", "ada"]
    assert [rows[bare.session][name] for name in names] == [None] * 4
    run.send(records.session_record(env={"host": "another"}))
    assert [server.session(run.session)[name] for name in names] == ["abc", "topic", "another", "ada"]


def test_the_part_of_a_commit_that_git_shows_is_enough(server: Server, project: str) -> None:
    make(server, project, tag="one", git={"commit": "ab12cd3" + 33 * "0"})
    make(server, project, tag="two", git={"commit": "ab12cd4" + 33 * "0"})
    make(server, project, tag="none")

    def tags(q: str) -> list[str]:
        return [row["tag"] for row in server.get("/api/v2/sessions", project=project, q=q, sort="tag")["sessions"]]

    assert tags("commit=ab12cd3") == tags("commit=AB12CD3000") == tags("commit=ab12cd3" + 33 * "0") == ["one"]
    assert tags("commit!=ab12cd3") == ["none", "two"]
    assert tags("commit=ab12cd") == tags("commit=ab12cd5") == []
    assert tags("commit~^ab12cd") == ["one", "two"]
    assert tags("not has(commit)") == ["none"]
