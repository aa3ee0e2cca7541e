"""Groups of sessions: each group's query finds exactly its sessions, and its numbers are theirs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losswise_server.db.engine import reading, writing
from losswise_server.db.models import Project, Session
from losswise_server.exceptions import ApiError
from losswise_server.extensions import db
from losswise_server.query.parser import parse_field
from losswise_server.sessions import grouping, listing
from losswise_server.sessions.grouping import Asked
from sqlalchemy import select, update

from losswise.protocol import records
from tests.conftest import DATABASES, database_url
from tests.support.application import DirectWriting, application
from tests.support.server import Server

DAY = 86_400
START = 20_000 * DAY + 0.0
LONG = "a (very) long+text. " * 11
VALUES: list[Any] = [
    0.1, "1e-1", "0.10", 0.25, 3, "3", -5, 1e-7, 1e300, "1e999", "NaN", "Infinity", "nan", True, "true", "True", False,
    None, "adam", "Adam", "sgd 2", 'say "a\\b"', "", "and", "a=b", "not", "résumé 😀", "line\nbreak", "a/b.c", "x%_",
    [1, 2], [1, "two", [None]], {"a": {"b": 1}}, [], "[1,2]", LONG, LONG + "!", LONG[:200], LONG[:201], [LONG, 1],
    2**53 + 1, 2**60,
]  # fmt: skip
COMMITS = ["ab12cd3", "ab12cd3" + 33 * "0", "ab12cd4" + 33 * "f", "AB12CD3", "v1.0", None]


@pytest.fixture(scope="module", params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sessions of every kind in an application's database."""
    with application(tmp_path_factory.mktemp("groups"), database_url(request.param, request)):
        for number in range(60):
            _write(number)
        yield


def _write(number: int) -> None:
    run = DirectWriting()
    value = VALUES[number % len(VALUES)]
    params: dict[str, Any] = {"v": value, "lr": [0.1, 0.01, 0.001][number % 3], "seed": number // 3}
    params["nested"] = {"v": VALUES[number * 7 % len(VALUES)]}
    if number % 5 == 0:
        params["nested.v"] = VALUES[number % len(VALUES)]
    commit = COMMITS[number % len(COMMITS)]
    run.send(
        records.session_record(
            tag=["", "resnet", LONG][number % 3],
            group="folds" if number % 4 == 0 else None,
            tags=[["baseline", f"n{number % 5}", "baseline"], ['odd "tag"'], []][number % 3],
            params=params if number % 11 else {},
            max_iter=100 if number % 3 else None,
            git={"commit": commit, "branch": "topic/a b"} if commit else None,
            env={"host": f"node-{number % 3}", "user": "ada"},
        ),
        records.values_record({"best": number % 4}),
    )
    if number % 7:
        graph = records.graph_id(run.session, "loss")
        loss = "NaN" if number % 9 == 0 else 1e200 if number % 13 == 0 else 1e6 + number / 1024
        run.send(records.graph_record(graph, "loss"), records.points_record(graph, [0], [1.0], {"val_loss": [loss]}))
    status = ("active", "complete", "failed", "cancelled")[number % 4]
    if status != "active":
        run.send(records.status_record(status, 2.0))
    with writing() as connection:
        where = update(Session).where(Session.id == run.session)
        created = START + number * DAY / 5
        connection.execute(where.values(created_at=created, updated_at=created + 5, starred=number % 3 == 0))


def _projects() -> list[int]:
    found = [row.id for row in db.session.execute(select(Project.id))]
    db.session.rollback()
    return found


def groups(by: str, q: str = "", clock: float = 0.0, **asked: Any) -> list[dict[str, Any]]:
    """All groups."""
    projects = _projects()
    asked = {"limit": 1_000, **asked, "shown": {field: parse_field(field) for field in asked.get("shown", ())}}
    with reading() as connection:
        found = grouping.list_groups(connection, projects, Asked(parse_field(by), **asked), q=q, clock=clock)
    return list(found["groups"])


def sessions(q: str = "", clock: float = 0.0) -> list[dict[str, Any]]:
    projects = _projects()
    with reading() as connection:
        return list(listing.list_sessions(connection, projects, limit=1_000, q=q, offset=clock)["sessions"])


def labels(found: list[dict[str, Any]]) -> list[str]:
    return [group["label"] for group in found]


FIELDS = (
    *("v", "nested.v", "nested", "lr", "values.best", "none", "min(val_loss)", "count(val_loss)"),
    *("tag", "group", "tags", "status", "host", "user", "commit", "branch", "starred", "iter", "max_iter"),
    *("created", "ended", "id", "reason"),
)
WITHIN = ("", "lr<0.05", "not has(group) or v=adam", "status=failed tags=baseline")


@pytest.mark.full
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(by=st.sampled_from(FIELDS), then=st.sampled_from(FIELDS), within=st.sampled_from(WITHIN))
def test_each_groups_query_finds_exactly_its_sessions(app: None, by: str, then: str, within: str) -> None:
    check_groups(by, within)
    [first, *_] = groups(by, within)
    check_groups(then, f"({within}) and ({first['q']})" if within else first["q"])


def check_groups(by: str, q: str, clock: float = 0.0) -> None:
    found = groups(by, q, clock)
    everything = {session["id"] for session in sessions(q, clock)}
    seen: list[str] = []
    for group in found:
        combined = f"({q}) and ({group['q']})" if q else group["q"]
        members = [session["id"] for session in sessions(combined, clock)]
        assert len(members) == group["sessions"] == sum(group["counts"].values()), combined
        seen += members
    assert set(seen) == everything
    assert by == "tags" or len(seen) == len(everything)


def test_every_field_groups_all_sessions(app: None) -> None:
    for by in FIELDS:
        check_groups(by, "")


def test_numbers_are_compared_as_numbers(app: None) -> None:
    found = {group["label"]: group for group in groups("v")}
    assert found["0.1"]["sessions"] >= 3
    assert (found["0.1"]["value"], found["0.1"]["kind"], found["0.1"]["q"]) == (0.1, "number", "v=0.1")
    assert found["1e-7"]["q"] == "v=1e-7"
    assert found["adam"]["q"] == "v=adam"
    assert found["sgd 2"]["q"] == 'v="sgd 2"'
    assert (found["true"]["value"], found["true"]["q"]) == ("true", "v=true")
    assert found["False".lower()]["value"] is False
    assert found["none"] == {**found["none"], "value": None, "kind": "missing", "q": "not has(params.v)"}
    assert found["[1,2]"]["sessions"] == 2 + (60 > len(VALUES) + VALUES.index([1, 2]))
    assert "≈9.0072e+15" in found


def test_values_come_in_their_order_and_missing_ones_last(app: None) -> None:
    assert labels(groups("lr")) == ["0.001", "0.01", "0.1", "none"]
    assert labels(groups("lr", sort="-value")) == ["0.1", "0.01", "0.001", "none"]
    assert labels(groups("max_iter")) == ["100", "none"]


def test_groups_by_day_are_those_of_the_persons_clock(app: None) -> None:
    for clock in (0, 5.5 * 3_600, -9 * 3_600):
        check_groups("created", "", clock)
    [first, *_] = groups("created")
    assert first["label"] == "2024-10-04"
    assert first["q"] == "created>=2024-10-04 and created<2024-10-05"


def test_statistics_are_those_of_the_finite_values(app: None) -> None:
    for group in groups("lr", statistics=["min(val_loss)", "max(val_loss)", "last(val_loss)", "min(nothing)"]):
        found = [session["stats"].get("val_loss", {}).get("min") for session in sessions(group["q"])]
        values = [value for value in found if isinstance(value, float) and value < 1e100]
        stats = group["stats"]["min(val_loss)"]
        assert stats["n"] == len(values)
        assert math.isclose(stats["mean"], statistics.fmean(values), rel_tol=1e-12)
        assert math.isclose(stats["sd"], statistics.stdev(values), rel_tol=1e-6)
        assert (stats["min"], stats["max"], stats["best"]) == (min(values), max(values), min(values))
        assert group["stats"]["max(val_loss)"]["best"] == max(values)
        assert group["stats"]["last(val_loss)"]["best"] is None
        assert group["stats"]["min(nothing)"] == dict.fromkeys(("mean", "sd", "min", "max", "best")) | {"n": 0}


def test_groups_can_be_sorted_by_number_activity_and_means(app: None) -> None:
    counts = [group["sessions"] for group in groups("v", sort="-sessions")]
    assert counts == sorted(counts, reverse=True)
    times = [group["updated_at"] for group in groups("host", sort="updated")]
    assert times == sorted(times)
    found = groups("seed", sort="-min(val_loss)", statistics=["min(val_loss)"])
    means = [group["stats"]["min(val_loss)"]["mean"] for group in found]
    known = [mean for mean in means if mean is not None]
    assert means == sorted(known, reverse=True) + [None] * (len(means) - len(known))
    assert "min(val_loss)" not in groups("seed", sort="min(val_loss)")[0]["stats"]


def test_values_that_all_sessions_share_are_given(app: None) -> None:
    shown = ["lr", "host", "tag", "starred", "v", "user", "created", "values.best", "none"]
    for group in groups("lr", "not has(none)", shown=shown):
        members = sessions(group["q"])
        for name, values in {
            "lr": [session["params"].get("lr") for session in members],
            "host": [session["host"] for session in members],
            "values.best": [session["values"]["best"] for session in members],
            "user": [session["user"] for session in members],
        }.items():
            assert group["same"].get(name) == (values[0] if len(set(values)) == 1 else None), name
        assert "none" not in group["same"]


def test_pages_of_groups_follow_each_other(app: None) -> None:
    whole = groups("v")
    parts: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        with reading() as connection:
            page = grouping.list_groups(connection, _projects(), Asked(parse_field("v"), limit=7, offset=offset))
        parts += page["groups"]
        assert page["total"] == len(whole)
        offset = page["next"]
    assert parts == whole


@pytest.mark.parametrize("by", ["elapsed", "progress"])
def test_what_has_no_groups_is_refused(app: None, by: str) -> None:
    with pytest.raises(ApiError, match="cannot be grouped"):
        groups(by)


def test_the_api_gives_groups(server: Server) -> None:
    from tests.support.batches import Writing

    name = f"groups {records.new_id()}"
    for number in range(3):
        run = Writing(server, project=name, tag=f"run {number}", params={"lr": [0.1, "1e-1", 0.01][number]})
        run.points(run.graph(), [0], val_loss=[number / 4])
    found = server.get("/api/v2/sessions/groups", project=name, by="lr", stat="min(val_loss)", show="params.lr")
    assert (found["by"], found["total"], found["next"]) == ("lr", 2, None)
    low, high = found["groups"]
    assert (low["label"], low["sessions"], low["counts"]["active"]) == ("0.01", 1, 1)
    assert low["same"] == {"params.lr": 0.01}
    assert high["stats"]["min(val_loss)"] == {
        "n": 2, "mean": 0.125, "sd": pytest.approx(0.25 / math.sqrt(2)), "min": 0.0, "max": 0.25, "best": 0.0
    }  # fmt: skip
    for asked in ({}, {"by": "a=b"}, {"by": "lr", "sort": "tag"}, {"by": "lr", "stat": "lr"}, {"by": "lr", "q": "("}):
        answer = server.request("GET", "/api/v2/sessions/groups", params={"project": name, **asked})
        assert answer.status_code == 400, msgspec.json.encode(asked)
    assert server.request("GET", "/api/v2/sessions/groups", params={"project": "no", "by": "lr"}).status_code == 404
