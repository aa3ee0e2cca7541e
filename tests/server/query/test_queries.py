"""Each query finds the sessions that a filter in Python finds among all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losswise_server.db.engine import reading, writing
from losswise_server.db.models import Project, Session
from losswise_server.extensions import db
from losswise_server.query.nodes import STATISTICS, And, Field, Has, Node, Not, Or, Term, Word, quoted
from losswise_server.query.parser import parse
from losswise_server.sessions import listing
from sqlalchemy import select, update

from losswise.protocol import records
from tests.conftest import DATABASES, database_url
from tests.support.application import DirectWriting, application

NOW = 1_800_000_000.0
PARAMS: list[dict[str, Any]] = [
    {"lr": 0.1, "optimizer": "adam", "seed": 1},
    {"lr": "0.1", "optimizer": "Adam", "nested": {"lr": 0.5, "deep": {"a": True}}},
    {"lr": "1e-1", "optimizer": None, "nested.lr": 0.25},
    {"lr": True, "optimizer": "sgd 2", "seed": "x"},
    {"lr": None, "layers": [1, 2], "odd \"name\"": 3, "seed": 2**70},
    {"lr": "high", "optimizer": "a=b", "seed": -5, "flag": False},
    {"lr": 100, "optimizer": "résnet", "flag": "true", "nested": "no object"},
    {"lr": "1e999", "optimizer": "1e-999", "seed": "9" * 400},
    {"lr": "9" * 95 + "e99", "optimizer": "." + "0" * 90 + "1e-99"},
    {},
]  # fmt: skip
NOTES = ["", "adam", 'diverged at n1\nsee "above"', "RESNET high"]
COMMITS = ["ab12cd3" + 33 * "0", "ab12cd4" + 33 * "f", "feedbee"]
METRICS: list[dict[str, list[Any]]] = [
    {"val_loss": [0.5, 0.25]}, {"val_loss": [0.3, "NaN"]}, {"val_loss": ["Infinity"]}, {"a b": [1.0, 3.0]}, {},
]  # fmt: skip


@pytest.fixture(scope="module", params=DATABASES)
def sessions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[dict[str, Any]]]:
    """Sessions of every kind, as the API has them, in an application's database."""
    with application(tmp_path_factory.mktemp("queries"), database_url(request.param, request)):
        for number in range(40):
            _write(number)
        yield Sessions(_found(""))


class Sessions(list[dict[str, Any]]):
    """With a short `repr`, which failures show."""

    def __repr__(self) -> str:
        return f"<{len(self)} sessions>"


def _write(number: int) -> None:
    run = DirectWriting()
    params, metrics = PARAMS[number % len(PARAMS)], METRICS[number % len(METRICS)]
    run.send(
        records.session_record(
            tag=f"ResNet-{number}" if number % 3 else "",
            group="folds" if number % 4 == 0 else None,
            tags=["baseline", f"n{number % 5}"] if number % 2 else [],
            params=params,
            max_iter=100 if number % 3 else None,
            git={"commit": COMMITS[number % 3], "branch": "topic/a b"} if number % 4 else None,
            env={"host": f"node-{number % 3}", "user": "ada"} if number % 5 else {"host": 7},
        ),
        records.values_record({"best": number, "path": f"a/{number}"}),
    )
    if metrics:
        graph = records.graph_id(run.session, "loss")
        run.send(records.graph_record(graph, "loss"))
        for name, column in metrics.items():
            xs = list(range(len(column)))
            run.send(records.points_record(graph, xs, [1.0] * len(xs), {name: column}))
    status = ("active", "complete", "failed", "cancelled")[number % 4]
    if status != "active":
        run.send(records.status_record(status, 2.0))
    created = NOW - 3_600 * number**2
    with writing() as connection:
        where = update(Session).where(Session.id == run.session)
        ended = None if status == "active" else created + 60 * number
        connection.execute(where.values(created_at=created, updated_at=created + 5, ended_at=ended))
        connection.execute(where.values(starred=number % 3 == 0, note=NOTES[number % len(NOTES)]))


def _found(query: str) -> list[dict[str, Any]]:
    projects = [row.id for row in db.session.execute(select(Project.id))]
    db.session.rollback()
    with reading() as connection:
        return list(listing.list_sessions(connection, projects, limit=1_000, q=query, with_counts=False)["sessions"])


# the filter in Python

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    return float(value) if isinstance(value, str) and len(value) <= 100 and _NUMBER.fullmatch(value) else None


def _entries(session: dict[str, Any], field: Field) -> list[Any]:
    """What a session has under this name, if anything: null is nothing. The whole name counts before a path."""
    if field.kind in STATISTICS:
        found = [session["stats"].get(field.name, {}).get(field.kind)]
    else:
        entries = session[field.kind]
        found = [entries.get(field.name)]
        if "." in field.name:
            value: Any = entries
            for name in field.name.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            found.append(value)
    return [value for value in found if value is not None][:1]


def _column(session: dict[str, Any], name: str) -> Any:
    ended = session["ended_at"]
    return {
        "iter": session["last_x"],
        "created": session["created_at"],
        "elapsed": (ended if ended is not None else NOW) - session["created_at"],
    }.get(name, session.get(name))


def _compare(left: float | None, sign: str, right: float) -> bool:
    if left is None:
        return False
    return {"=": left == right, "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]


def _is_met(session: dict[str, Any], node: Node) -> bool:
    if isinstance(node, Not):
        return not _is_met(session, node.node)
    if isinstance(node, And):
        return all(_is_met(session, each) for each in node.nodes)
    if isinstance(node, Or):
        return any(_is_met(session, each) for each in node.nodes)
    if isinstance(node, Word):
        return node.text.lower() in _search_text(session)
    if isinstance(node, Has):
        if node.field.kind == "column":
            return _column(session, node.field.name) not in (None, "", [], False)
        return bool(_entries(session, node.field))
    sign = node.operator.removeprefix("!") if node.operator in ("!=", "!~") else node.operator
    return _term(session, node, sign) is not (sign != node.operator)


def _term(session: dict[str, Any], term: Term, sign: str) -> bool:
    wanted = None if term.is_quoted else _number(term.value)
    if term.field.kind == "column":
        value = _column(session, term.field.name)
        if term.field.name == "tags":
            return any(re.search(term.value, tag) if sign == "~" else tag == term.value for tag in value)
        if term.field.name == "starred":
            return value is (term.value == "true")
        if term.field.name == "commit" and sign == "=" and re.fullmatch("[0-9a-fA-F]{7,}", term.value):
            return (value or "").startswith(term.value.lower())
        if term.field.name in ("tag", "id", "status", "reason", "group", "commit", "branch", "host", "user", "note"):
            return (
                bool(re.search(term.value, value or "")) and value is not None
                if sign == "~"
                else (value or "") == term.value
            )
        seconds = {"m": 60, "h": 3_600, "d": 86_400}.get(term.value[-1], 0)
        if seconds:
            wanted = float(term.value[:-1]) * seconds
        if term.field.name == "created" and wanted is not None:
            wanted = NOW - wanted
        assert wanted is not None
        return _compare(None if value is None else float(value), sign, wanted)
    for value in _entries(session, term.field):
        text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else None
        if isinstance(value, (list, dict)):
            text = msgspec.json.encode(value).decode()
        if sign == "~":
            if text is not None and re.search(term.value, text):
                return True
        elif wanted is not None:
            if _compare(_number(value), sign, wanted) or (
                sign == "=" and isinstance(value, str) and value == term.value
            ):
                return True
        elif text == term.value and (not isinstance(value, bool) or not term.is_quoted):
            return True
    return False


def _search_text(session: dict[str, Any]) -> str:
    with reading() as connection:
        return str(connection.execute(select(Session.search).where(Session.id == session["id"])).scalar_one())


# queries

NUMBERS = st.sampled_from(["0.1", "1e-1", "0.25", "100", "-5", "0", "3", "1e30", "+.5", "5e-1"])
TEXTS = st.sampled_from(["adam", "Adam", "sgd 2", "a=b", "true", "false", "high", "x", "folds", "baseline", "n1", "é",
                         "ada", "node-1", "topic/a b", "[1,2]", '{"lr":0.5,"deep":{"a":true}}'])  # fmt: skip
PATTERNS = st.sampled_from(
    ["ad.m", "^[aA]", "m$", "res|sgd", "^$", "n[12]", "t.?u", "(a|b)+=", "ResNet-.*1", r"\d+", "dam", "Net-1"]
)
ENTRIES = st.sampled_from(
    [
        Field("params", name)
        for name in (
            "lr",
            "optimizer",
            "seed",
            "nested.lr",
            "nested.deep.a",
            "nested",
            "layers",
            "flag",
            'odd "name"',
            "no",
        )
    ]
    + [Field("values", name) for name in ("best", "path")]
    + [Field(kind, "val_loss") for kind in STATISTICS]
    + [Field("last", "a b")]
)
SIGNS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUAL, LIKE = st.sampled_from(["=", "!="]), st.sampled_from(["~", "!~"])


def column(*names: str) -> st.SearchStrategy[Field]:
    return st.sampled_from([Field("column", name) for name in names])


LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.builds(Word, st.sampled_from(["resnet", "RESNET-1", "lr", "0.1", "folds", "n1", "%", "_", "and", "a b", "\\"])),
    st.builds(
        Has,
        st.one_of(
            ENTRIES,
            column("group", "tags", "max_iter", "tag", "commit", "branch", "host", "user", "note", "starred"),
        ),
    ),
    st.builds(Term, ENTRIES, SIGNS, NUMBERS),
    st.builds(Term, ENTRIES, EQUAL, TEXTS, st.booleans()),
    st.builds(Term, ENTRIES, LIKE, PATTERNS, st.just(True)),
    st.builds(Term, column("tag", "group", "tags", "branch", "host", "user", "note"), EQUAL, TEXTS, st.booleans()),
    st.builds(Term, column("tag", "group", "tags", "branch", "commit", "note"), LIKE, PATTERNS, st.just(True)),
    st.builds(Term, column("commit"), EQUAL, st.sampled_from(["ab12cd3", "AB12CD4", "ab12cd", "feedbee", COMMITS[0]])),
    st.builds(Term, column("starred"), EQUAL, st.sampled_from(["true", "false"])),
    st.builds(Term, column("status"), EQUAL, st.sampled_from(["active", "failed", "complete"])),
    st.builds(Term, column("iter", "max_iter", "points"), SIGNS, NUMBERS),
    st.builds(Term, column("elapsed", "created"), SIGNS, st.sampled_from(["3m", "2h", "1d", "30d", "100d"])),
)
QUERIES: st.SearchStrategy[Node] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda node: node.node if isinstance(node, Not) else Not(node), inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def written(node: Node) -> str:
    """A node as a person would write it."""
    if isinstance(node, Word):
        return quoted(node.text)
    if isinstance(node, Has):
        return f"has({node.field.text})"
    if isinstance(node, Not):
        return f"not ({written(node.node)})"
    if isinstance(node, (And, Or)):
        return f" {'and' if isinstance(node, And) else 'or'} ".join(f"({written(each)})" for each in node.nodes)
    value = '"' + node.value.replace("\\", "\\\\").replace('"', '\\"') + '"' if node.is_quoted else node.value
    if not node.is_quoted and set(value) & set(' ()"'):
        value = quoted(value)
    return f"{node.field.text}{node.operator}{value}"


def check(sessions: list[dict[str, Any]], node: Node) -> None:
    text = written(node)
    parsed = parse(text)
    assert parsed is not None
    found = [session["tag"] + session["id"] for session in _found(text)]
    assert found == [session["tag"] + session["id"] for session in sessions if _is_met(session, parsed)], text


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing.time, "time", lambda: NOW)


OPTIONS: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=60, **OPTIONS)
@given(node=QUERIES)
def test_a_query_finds_what_a_filter_finds(sessions: list[dict[str, Any]], at_noon: None, node: Node) -> None:
    check(sessions, node)


@pytest.mark.full
@settings(max_examples=1_000, **OPTIONS)
@given(node=QUERIES)
def test_many_queries_find_what_a_filter_finds(sessions: list[dict[str, Any]], at_noon: None, node: Node) -> None:
    check(sessions, node)
