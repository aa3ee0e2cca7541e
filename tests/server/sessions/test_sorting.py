"""The list of sessions in every order: page by page, it matches the same rows sorted by Python."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from losswise_server.db.models import Session
from sqlalchemy import update

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.database.tables import adding
from tests.support.server import Server

COUNT = 40
NAMES = (
    "train_loss",
    "a.b.min",
    "the [0]th",
    'with "quotes"',
    "it's",
    "back\\slash",
    "a\ttab",
    "$.root",
    "100 %_",
    "max(x)",
    "größe ∂ 損失 😀",
    "x" * 400,
)
NUMBERS: tuple[Any, ...] = (0, 0.0, 1, 1.5, 1.5, -2, -2.5e-7, 1e300, -1e300, 7, 0.1, 1 / 3)
OTHERS: tuple[Any, ...] = (
    "NaN",
    "Infinity",
    "adam",
    "sgd",
    "adamw",
    "",
    "7",
    True,
    False,
    None,
    [1],
    [1, "a"],
    {"a": 1},
)
PLAIN = (
    "id",
    "tag",
    "status",
    "created_at",
    "max_iter",
    "last_x",
    "points",
    "group",
    "progress",
    "commit",
    "branch",
    "host",
)
Read = Callable[[Any], Any]


@pytest.fixture(scope="module")
def sessions(server: Server) -> list[Any]:
    """Sessions with ties, missing values, texts among numbers; in the order in which they were made."""
    chance = random.Random(24)
    made = [make(server, chance, number) for number in range(COUNT)]
    table = Session.__table__
    with adding(server) as (_, connection):  # active sessions do not become stale meanwhile
        mine = (table.c.id.in_(made)) & (table.c.status == "active")
        connection.execute(update(table).where(mine).values(last_seen_at=time.time() + 3_600))
    return [server.session(session) for session in made]


def make(server: Server, chance: random.Random, number: int) -> str:
    def some(choices: tuple[Any, ...]) -> dict[str, Any]:
        return {name: chance.choice(choices) for name in NAMES if chance.random() < 0.8}

    run = Writing(
        server,
        project="orders",
        tag=chance.choice(["Run", "run", "other", "zeta"]),
        group=chance.choice([None, "odd", "even"]),
        created_at=1_700_000_000.0 + number // 3,
        max_iter=chance.choice([None, 100, 1_000]),
        params={
            **some((*NUMBERS, *OTHERS)),
            "model": {"depth": chance.choice(OTHERS), "head": {"dim": chance.choice(NUMBERS)}} if number % 5 else None,
        },
        git={"commit": chance.choice(["aa11", "bb22"]), "branch": "main"} if number % 3 else None,
        env={"host": chance.choice(["a", "b", "c"]), "user": "ada"} if number % 7 else None,
    )
    ys = {name: [value, chance.choice([*NUMBERS, "NaN", "-Infinity"])] for name, value in some(NUMBERS).items()}
    ys |= {name: ["NaN", "NaN"] for name in NAMES[:3] if chance.random() < 0.1}
    run.points(run.graph(), [1, chance.randrange(2, 9)], **ys)
    run.send(records.values_record(some((*NUMBERS, *OTHERS))))
    if number % 4:
        run.end(chance.choice(["complete", "failed", "cancelled"]))
    return run.session


def finite(value: Any) -> Any:
    return value if type(value) in (int, float) else None


def statistic(name: str, field: str) -> Read:
    return lambda session: [finite(session["stats"].get(name, {}).get(field))]


def anything(group: str, name: str) -> Read:
    def read(session: Any) -> list[Any]:
        value = session[group]
        for part in name.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        return [
            finite(value),
            value if isinstance(value, str) else None,
            str(value).lower() if isinstance(value, bool) else None,
            json.dumps(value, separators=(",", ":")) if isinstance(value, list) else None,
        ]

    return read


def plain(name: str) -> Read:
    return lambda session: [session[name].lower() if name == "tag" else session[name]]


SORTS: dict[str, Read] = {
    **{name: plain(name) for name in PLAIN},
    **{f"{field}({name})": statistic(name, field) for name in NAMES for field in ("min", "last")},
    **{f"{field}(train_loss)": statistic("train_loss", field) for field in ("max", "count")},
    **{f"{group}.{name}": anything(group, name) for group in ("params", "values") for name in NAMES},
    **{f"params.{name}": anything("params", name.replace(".", "/")) for name in ("model.depth", "model.head.dim")},
}


def in_order(sessions: list[Any], read: Read, descending: bool) -> list[str]:
    """Ids by what `read` gives, missing values last; among equals, those made last come first."""
    order = list(reversed(sessions))
    for column in reversed(range(len(read(order[0])))):
        there = [session for session in order if read(session)[column] is not None]
        missing = [session for session in order if read(session)[column] is None]
        # a stable sort, in both directions
        there.sort(key=lambda session: read(session)[column], reverse=descending)
        order = there + missing
    return [session["id"] for session in order]


def pages(server: Server, limit: int, **asked: Any) -> Any:
    cursor: dict[str, str] = {}
    while True:
        page = server.get("/api/v2/sessions", project="orders", limit=limit, **asked, **cursor)
        yield page
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def walk(server: Server, limit: int, **asked: Any) -> list[str]:
    """All ids, page by page."""
    return [session["id"] for page in pages(server, limit, **asked) for session in page["sessions"]]


@pytest.mark.full
def test_every_order_matches_python(server: Server, sessions: list[Any]) -> None:
    chance = random.Random(21)
    for (sort, read), descending in itertools.product(SORTS.items(), (False, True)):
        asked = f"-{sort}" if descending else sort
        found = walk(server, chance.randrange(3, 25), sort=asked)
        assert found == in_order(sessions, read, descending), asked


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize("status", ["active", "complete", "failed", "cancelled"])
@pytest.mark.parametrize("q", ["even", "run"])
def test_an_order_within_a_filter(server: Server, sessions: list[Any], status: str, q: str) -> None:
    within = [
        session
        for session in sessions
        if session["status"] == status and q in (session["group"], session["tag"].lower())
    ]
    assert within
    for sort in ("min(it's)", "params.it's", "-tag"):
        read = SORTS[sort.removeprefix("-")]
        assert walk(server, 2, status=status, q=q, sort=sort) == in_order(within, read, sort.startswith("-")), sort


def test_pages_stay_complete_while_sessions_are_added_and_deleted(server: Server, sessions: list[Any]) -> None:
    chance = random.Random(22)
    known = [session["id"] for session in sessions]
    for sort in ("-created_at", "min(train_loss)", "-values.it's"):
        found: list[str] = []
        for number, page in enumerate(pages(server, 6, sort=sort)):
            found += [session["id"] for session in page["sessions"]]
            if number < 3:
                server.request("DELETE", f"/api/v2/sessions/{make(server, chance, number)}")
                make(server, chance, COUNT + number)
        assert len(found) == len(set(found)), sort
        assert sorted(set(found) & set(known)) == sorted(known), sort


def test_a_long_response_is_compressed_if_the_client_accepts_it(server: Server, sessions: list[Any]) -> None:
    def get(encoding: str) -> Any:
        query = {"project": "orders"}
        return server.request("GET", "/api/v2/sessions", params=query, headers={"Accept-Encoding": encoding})

    plain, small = get("identity"), get("gzip, deflate")
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == small.headers["Vary"]
    assert "Accept-Encoding" in small.headers["Vary"]
    assert int(small.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 2
    assert [session["stats"] for session in small.json()["sessions"]] == [
        session["stats"] for session in plain.json()["sessions"]
    ]
    assert "Content-Encoding" not in get("gzip;q=0").headers


@pytest.mark.parametrize(
    ("sort", "what"),
    [
        ("params.nope", "param 'nope'"),
        ("-values.nope", "value 'nope'"),
        ("params.model.nope", "param 'model.nope'"),
        ("min(nope)", "metric 'nope'"),
    ],
)
def test_a_sort_by_what_no_session_has_is_an_error(server: Server, sessions: list[Any], sort: str, what: str) -> None:
    answer = server.request("GET", "/api/v2/sessions", params={"project": "orders", "sort": sort})
    assert answer.status_code == 400
    assert answer.json()["error"] == f"'sort' names the {what}, which no session has"


def test_a_sort_by_what_no_session_of_the_filter_has_is_none(server: Server, sessions: list[Any]) -> None:
    assert walk(server, 5, sort="params.it's", q="nothing-like-it") == []
    run = Writing(server, project="orders", tag="bare")
    assert walk(server, 5, sort="params.it's", q="tag=bare") == [run.session]
    server.request("DELETE", f"/api/v2/sessions/{run.session}")
