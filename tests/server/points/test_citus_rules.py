"""The rules of Citus for tables that are distributed by session: the schema, every statement, docs/scaling.md."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest
from flask.testing import FlaskClient
from losswise_server import create_app
from losswise_server.config import load_settings
from losswise_server.db import (  # noqa: F401  (their tables count)
    change_models,
    edit_models,
    preference_models,
    project_models,
    view_models,
)
from losswise_server.db.engine import engine_options
from losswise_server.db.session_tables import DISTRIBUTED
from losswise_server.extensions import db
from losswise_server.live import events
from losswise_server.live.changes import Change
from losswise_server.maintenance import purge, silence
from losswise_server.sessions import row_changes
from losswise_server.setup.first_start import prepare
from losswise_server.setup.upgrade import upgrade_schema
from sqlalchemy import Table, UniqueConstraint

from losswise.protocol import records
from tests.support.database.postgres import Postgres
from tests.support.database.shardrules import Rules
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, API_KEY

DOCS = Path(__file__).resolve().parents[3] / "docs" / "scaling.md"
NAMES = [table.name for table in DISTRIBUTED]
COLUMN = "session_key"
LOCAL = [table.name for table in db.metadata.sorted_tables if table not in DISTRIBUTED]
RULES = Rules(NAMES, COLUMN)
IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(100)


# the tables


@pytest.mark.parametrize("table", DISTRIBUTED, ids=NAMES)
def test_every_unique_key_contains_the_session(table: Table) -> None:
    keys = [list(table.primary_key.columns)] if table.primary_key.columns else []
    keys += [list(entry.columns) for entry in table.constraints if isinstance(entry, UniqueConstraint)]
    keys += [list(index.columns) for index in table.indexes if index.unique]
    for key in keys:
        assert COLUMN in [column.name for column in key], key
    # colocated tables need columns of one type, and distributed ones have no sequences
    assert str(table.c[COLUMN].type) == "INTEGER"
    assert table.autoincrement_column is None


def test_no_foreign_key_leads_to_or_from_them() -> None:
    for table in db.metadata.sorted_tables:
        for key in table.foreign_keys:
            assert table not in DISTRIBUTED
            assert key.column.table not in DISTRIBUTED


def test_the_documentation_distributes_the_same_tables() -> None:
    found = re.findall(r"create_distributed_table\('(\w+)', *'(\w+)'", DOCS.read_text())
    assert [column for _, column in found] == [COLUMN] * len(found)
    assert sorted(name for name, _ in found) == sorted(NAMES)
    local = re.search(r"<!-- local tables -->\n(.+?)\n\n", DOCS.read_text(), re.DOTALL)
    assert local is not None
    assert sorted(re.findall(r"`(\w+)`", local[1])) == sorted(LOCAL)


# the statements


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT x FROM points WHERE graph = 1",
        "SELECT count(*) FROM points",
        "DELETE FROM summaries WHERE level = 1",
        "UPDATE writers SET status = NULL WHERE id = 'session_key = 1'",
        "INSERT INTO blobs (sha256, data) VALUES ('a', 'b')",
        "COPY points (x, sequence) FROM STDIN",
        "SELECT 1 FROM points JOIN summaries ON points.graph = summaries.graph WHERE points.session_key = 1",
        "SELECT 1 FROM points, texts WHERE points.session_key = 1",
        "DELETE FROM points WHERE session_key = 1 AND ctid = ANY (ARRAY (SELECT ctid FROM points LIMIT 3))",
        "SELECT (SELECT min(x) FROM points WHERE session_key = 1), (SELECT max(x) FROM points WHERE graph = 1)",
        "SELECT 1 FROM points a JOIN writers b ON a.session_key = b.session_key",
    ],
)
def test_a_statement_that_breaks_the_rules_is_found(statement: str) -> None:
    assert RULES.breach(statement) is not None


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT points FROM sessions WHERE key = 1",
        "SELECT x FROM points WHERE session_key = 1 AND graph = 1",
        "SELECT error FROM session_metadata WHERE session_metadata.session_key IN (1, 2)",
        "INSERT INTO blobs (session_key, sha256, data) VALUES (1, 'a', 'b') ON CONFLICT DO NOTHING",
        "SELECT 1 FROM points a JOIN writers b ON a.session_key = b.session_key WHERE a.session_key = 1",
    ],
)
def test_a_statement_that_follows_the_rules_passes(statement: str) -> None:
    assert RULES.breach(statement) is None


class Recording(psycopg2.extensions.cursor):
    """A cursor that records the statements it executes."""

    statements: list[str] = []

    def execute(self, query: Any, vars: Any = None) -> None:
        text = self.mogrify(query, vars) if vars else query
        Recording.statements.append(text.decode(errors="replace") if isinstance(text, bytes) else str(text))
        super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        Recording.statements.append(str(sql))
        super().copy_expert(sql, file, size)


@pytest.fixture
def client(postgres: Postgres, tmp_path: Path) -> Iterator[FlaskClient]:
    """A client of the application, signed in as admin; statements are recorded from here on."""
    settings = load_settings(str(tmp_path), postgres.new_database(), environ={})
    options = engine_options(settings.database_url)
    options["connect_args"]["cursor_factory"] = Recording
    app = create_app(settings, SQLALCHEMY_ENGINE_OPTIONS=options)
    upgrade_schema(app)
    with app.app_context():
        prepare({"LW_ADMIN_EMAIL": ADMIN_EMAIL, "LW_ADMIN_PASSWORD": ADMIN_PASSWORD, "LW_API_KEY": API_KEY})
        client = app.test_client()
        Recording.statements.clear()
        assert client.post("/login", data={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}).status_code == 303
        yield client
        db.session.rollback()
        db.engine.dispose()


def call(client: FlaskClient, method: str, path: str, **options: Any) -> Any:
    answer = client.open(path, method=method, headers={"Authorization": API_KEY}, **options)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
    return answer.json


def use_everything(client: FlaskClient) -> None:
    """The calls of both protocols, the read API and the pages, live events, stale sessions and a deletion."""
    session, writer, now = records.new_id(), records.new_id(), time.time()
    graph = records.graph_id(session, "loss")
    sha256 = hashlib.sha256(IMAGE).hexdigest()
    seq = 0

    def send(*batch: dict[str, Any]) -> None:
        nonlocal seq
        seq += len(batch)
        body = {"format": 1, "session": session, "writer": writer, "seq": seq, "records": list(batch)}
        call(client, "POST", "/api/v2/batches", json=body)

    send(records.session_record(tag="t", git={"diff": "d"}, env={"host": "h"}), records.graph_record(graph, "loss"))
    for start in range(0, 20_000, 5_000):
        xs = list(range(start, start + 5_000))
        send(records.points_record(graph, xs, [now - 10] * len(xs), {"loss": [float(x) for x in xs]}))
    send(records.points_record(graph, [7], [now - 10], {"loss": [0.5], "late": ["NaN"]}))
    send({"type": "values", "values": {"best": 1}}, records.text_record("note", "one", 1))
    for text in ("a" * 100_000, "b" * 1_000_000):
        send(records.text_record("console", text, append=True))
    send(records.text_record("note", "two", 1))
    call(client, "PUT", f"/api/v2/sessions/{session}/blobs/{sha256}", data=IMAGE)
    send(records.image_record("faces", 3, "one", sha256, 1, 1, {}, {}))
    for sent in (0, 1):
        refused = [{"what": "text", "reason": "too long", "total": 1, "sent": sent}]
        call(client, "POST", "/api/v2/batches", json={"session": session, "writer": writer, "refused": refused})
    send(records.mark_record(1), records.points_record(graph, [8], [now - 10], {"loss": [0.5]}))
    send(records.rewind_record(10, now - 5, None, now - 11, {writer: 1}))
    send({"type": "rewind", "after": 15_000, "t": now - 5})
    send({"type": "rewind", "after": 10_000, "t": now - 5, "graph": graph})
    send(records.status_record("failed", now, error={"type": "E", "message": "m", "traceback": "t"}))
    old = call(client, "POST", "/api/v1/sessions", json={"tag": "old", "max_iter": 3})["session_id"]
    old_graph = call(client, "POST", "/api/v1/graphs", json={"session_id": old, "title": "g"})["graph_id"]
    point = {"session_id": old, "graph_id": old_graph, "x": 1, "y": {"a": 1.0}, "time": now}
    call(client, "POST", "/api/v1/points", json=point)
    call(client, "POST", "/api/v1/point-list", json={"point_list": [point]})
    body = {"session_id": old, "name": "s", "x": 1}
    sequence = call(client, "POST", "/api/v1/prediction-sequences", json=body)["prediction_sequence_id"]
    image = {"prediction_sequence_id": sequence, "image": base64.b64encode(IMAGE).decode(), "image_id": "1"}
    call(client, "POST", "/api/v1/image-prediction", json=image)
    call(client, "PATCH", f"/api/v1/sessions/{old}", json={"attributes": {"status": "complete"}})

    call(client, "GET", "/api/v2/sessions?sort=-min(loss)")
    call(client, "GET", f"/api/v2/sessions/{session}")
    call(client, "GET", f"/api/v2/graphs/{graph}/points?limit=100")
    for question in ("", "&x0=100&x1=9000", "&x0=5&x1=50", "&width=10"):
        call(client, "GET", f"/api/v2/series?graph={graph}&graph={old_graph}{question}")
        call(client, "GET", f"/api/v2/series/groups?title=loss{question}")
    call(client, "GET", "/api/v2/series/groups/graphs")
    assert client.get(f"/api/v2/sessions/{session}/blobs/{sha256}").data == IMAGE
    for page in ("/projects", f"/s/{session}/details"):
        assert client.get(page).status_code == 200

    row = call(client, "GET", f"/api/v2/sessions/{session}")
    change = Change(session, 1, 1, 0, row["version"], 0, 10_000, {1: (9_990, 9_999)})
    assert events.session_event(change)
    assert events.session_event(replace(change, before=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_changes, "FEW_STATISTICS", 0)
        assert events.session_event(replace(change, before=1))
    assert events.points_event(change, None)[0] is not None
    fields = {"tag": "a", "add_tags": ["b"], "note": "c", "starred": True, "archived": True, "deleted": True}
    done = call(client, "POST", "/api/v2/sessions/edits", json={"sessions": [session, old], "edit": fields})
    call(client, "POST", f"/api/v2/undo/{done['undo']}")
    matching = {"matching": {"project_id": row["project_id"], "q": "lr=1 or min(loss)>0"}}
    call(client, "POST", "/api/v2/sessions/edits", json={**matching, "edit": {"starred": True}})
    call(client, "POST", "/api/v2/sessions/edits", json={"sessions": [old], "edit": {"deleted": True}})
    assert call(client, "POST", "/api/v2/sessions/purge", json={"sessions": [old]})["deleted"] == 1
    silence.mark_stale(time.time() + 1_000)
    call(client, "DELETE", f"/api/v2/sessions/{session}")
    assert purge.purge() > 10_000


def test_every_statement_names_its_sessions(client: FlaskClient) -> None:
    use_everything(client)
    found = {statement: RULES.breach(statement) for statement in Recording.statements}
    assert {statement[:500]: breach for statement, breach in found.items() if breach} == {}
    local = Rules(LOCAL, "key")
    both = [text[:500] for text in Recording.statements if RULES.tables(text) and local.tables(text)]
    assert both == [], "a distributed table is joined with one on the coordinator"
    # the test means something only if every table was read, written and deleted from
    for verb in ("select", "insert|copy", "delete"):
        seen = {
            name
            for statement in Recording.statements
            if re.match(rf"\s*({verb})\b", statement, re.IGNORECASE)
            for name in RULES.tables(statement)
        }
        assert seen == set(NAMES), verb
