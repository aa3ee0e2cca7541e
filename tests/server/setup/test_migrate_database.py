"""`losswise server-admin migrate-database`: a server on the new database gives the same responses."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.database.postgres import Postgres
from tests.support.database.rows import database, key_of, multiply_points
from tests.support.server import ENDED, Server

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 300
FAR = 10**12
SHA256 = hashlib.sha256(IMAGE).hexdigest()
ODD = "tab\tline\nreturn\rback\\slash \\N \\. 'quote' \"double\" é 🎉 \u2028 {}"


def migrate(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        server.command("server-admin", "migrate-database", *words),
        env=server.environ,
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def fill(server: Server) -> tuple[Writing, Writing]:
    """Create a session with all kinds of data, which is still written, and a deleted one."""
    params = {"z": 1, "a": 0.1, "nested": {"rate": 1e-300, "words": ODD}, "list": [1, None, True, "x"]}
    run = Writing(server, tag=ODD, project="second", params=params, tags=["x", ODD], group="g", max_iter=100)
    graph = run.graph()
    values: list[Any] = [0.1, 1 / 3, 1e308, -5e-324, "NaN", "Infinity", "-Infinity", 0, 2**53, None]
    run.points(graph, list(range(10)), loss=values, other=[1.0] * 10)
    run.points(graph, [5, -(2**63), 2**63 - 1], loss=[1.0, 2.0, 3.0])
    run.points(run.graph("long"), list(range(20_000)), long=[x / 7 for x in range(20_000)])
    run.send(
        {"type": "values", "values": {"best": 0.25, "words": ODD, "b": None}},
        records.text_record("note", ODD, 3),
        records.text_record("console", "line\n" * 30_000, append=True),
        records.image_record("faces", 3, "one", SHA256, 10, 20, {"label": ODD}, {"score": 0.5}),
        records.session_record(git={"diff": ODD * 100}, env={"host": "h"}, info={"note": "n"}),
    )
    run.send(refused=[{"what": ODD, "reason": ODD, "total": 7_000_000_000, "sent": 1}])
    address = f"/api/v2/sessions/{run.session}/blobs/{SHA256}"
    assert server.request("PUT", address, data=IMAGE).status_code == 200
    failed = Writing(server, tag="failed")
    failed.end("failed", error={"type": "ValueError", "message": ODD, "traceback": "..."})
    old = server.request("POST", "/api/v1/sessions", json={"tag": "v1", "max_iter": 3}).json()["session_id"]
    body = {"session_id": old, "name": "sequence", "x": 1}
    assert server.request("POST", "/api/v1/prediction-sequences", json=body).json()["success"]
    gone = Writing(server, tag="deleted")
    assert server.request("DELETE", f"/api/v2/sessions/{gone.session}").status_code == 200
    return run, gone


def everything(server: Server) -> dict[str, Any]:
    """All responses of the read API."""
    listed = server.get("/api/v2/sessions", sort="created_at")
    found: dict[str, Any] = {"me": server.get("/api/v2/me"), "projects": server.get("/api/v2/projects")}
    found["sessions"] = listed["sessions"]
    for row in listed["sessions"]:
        session = found[row["id"]] = server.session(row["id"])
        for graph in session["graphs"]:
            found[graph["id"]] = server.points(graph["id"])
            found[f"series {graph['id']}"] = server.get("/api/v2/series", graph=graph["id"], width=100)
        for image in session["images"]:
            answer = server.request("GET", f"/api/v2/sessions/{row['id']}/blobs/{image['sha256']}")
            found[image["sha256"]] = answer.content
    # params keep the order in which they were written
    found["orders"] = [list(row["params"]) for row in listed["sessions"]]
    return found


def plain(value: Any) -> Any:
    """JSONB writes 1e308 as an integer of 309 digits, which JSON decoders read as an int."""
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return float(value) if isinstance(value, int) and abs(value) > 2**64 else value


@pytest.mark.full
def test_everything_is_copied_and_writers_continue(own_server: Server, postgres: Postgres) -> None:
    run, gone = fill(own_server)
    with database(own_server) as connection:  # it has counted further than the transactions of the new one
        connection.execute(text("UPDATE sessions SET change = :far WHERE id = :id"), {"far": FAR, "id": run.session})
    cursor = own_server.get("/api/v2/sessions")["cursor"]
    browser = own_server.signed_in()
    before = everything(own_server)
    greatest = key_of(own_server, run.session) + 3  # that of the deleted one
    assert own_server.stop() in ENDED
    where = () if own_server.database_url is None else ("--database-url", own_server.database_url)
    target = postgres.new_database()
    done = migrate(own_server, "--to", target, "--data-dir", str(own_server.data_dir), *where)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert "sessions: 3 rows" in lines
    assert "users: 1 row" in lines
    assert str(own_server.data_dir / "secret_key") in last

    port = own_server.port
    own_server.arguments = ("--data-dir", str(own_server.data_dir), "--database-url", target)
    own_server.database_url = target
    own_server.start(port)
    after = everything(own_server)
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert plain(after[name]) == plain(value), name
    assert after[SHA256] == IMAGE
    # users are still signed in
    assert browser.get(own_server.url + "/api/v2/me", timeout=30).json()["user"]
    # sequence numbers are kept: records that were applied are not applied again
    graph = records.graph_id(run.session, "loss")
    again = [records.points_record(graph, [50], [time.time()], {"loss": [9.0]})]
    answer = own_server.post_batch(run.session, again, writer=run.writer, seq=run.seq)
    assert answer.json() == {"last": run.seq}
    assert own_server.session(run.session)["points"] == before[run.session]["points"]
    run.points(graph, [50], loss=[9.0])
    assert own_server.session(run.session)["points"] == before[run.session]["points"] + 1
    answer = own_server.post_batch(gone.session, [], writer=gone.writer, seq=gone.seq)
    assert answer.json()["code"] == "deleted_session"
    # numbers of changes go on, and cursors of the old database are outdated
    assert own_server.session(run.session)["change"] > FAR
    assert own_server.get("/api/v2/sessions/changes", since=cursor)["reset"]
    # keys of deleted sessions are not given again
    assert key_of(own_server, Writing(own_server, project="third").session) > greatest


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    [sentence] = done.stderr.strip().splitlines()
    return sentence


@pytest.mark.full
def test_what_is_rejected(new_server: Callable[..., Server], postgres: Postgres, tmp_path: Path) -> None:
    server = new_server().start()
    data = ("--data-dir", str(server.data_dir))
    target = postgres.new_database()
    sentence = refused(migrate(server, "--to", target, *data))
    assert "already runs" in sentence
    assert "stop it first" in sentence
    assert server.stop() in ENDED
    assert "PostgreSQL" in refused(migrate(server, "--to", "sqlite:///other.db", *data))
    assert "postgresql://" in refused(migrate(server, "--to", "nonsense", *data))
    assert "is to be copied" in refused(migrate(server, "--to", target, *data, "--database-url", target))
    sentence = refused(migrate(server, "--to", "postgresql://somebody:secret@127.0.0.1:1/nothing", *data))
    assert "cannot be used" in sentence
    assert "secret" not in sentence
    missing = refused(migrate(server, "--to", target, "--data-dir", str(tmp_path / "elsewhere")))
    assert "no database" in missing
    assert not (tmp_path / "elsewhere" / "losswise.db").exists()
    assert migrate(server, "--to", target, *data).returncode == 0
    assert "not empty" in refused(migrate(server, "--to", target, *data))


@pytest.mark.full
def test_a_copy_that_fails_leaves_nothing(new_server: Callable[..., Server], postgres: Postgres) -> None:
    server = new_server().start()
    Writing(server)
    assert server.stop() in ENDED
    with database(server) as connection:
        connection.exec_driver_sql("UPDATE sessions SET tag = 'a' || char(0) || 'b'")
    data = ("--data-dir", str(server.data_dir))
    target = postgres.new_database()
    done = migrate(server, "--to", target, *data)
    assert done.returncode == 1
    [sentence] = done.stderr.strip().splitlines()
    assert "nothing was copied: the table sessions" in sentence
    with database(server) as connection:
        connection.exec_driver_sql("UPDATE sessions SET tag = 'a'")
    assert migrate(server, "--to", target, *data).returncode == 0


@pytest.mark.full
def test_memory_is_bounded_for_long_tables(new_server: Callable[..., Server], postgres: Postgres) -> None:
    server = new_server().start()
    run = Writing(server)
    run.points(run.graph(), [0], loss=[1.0])
    key = key_of(server, run.session)
    multiply_points(server, key, 2_000_000)
    assert server.stop() in ENDED
    words = ("server-admin", "migrate-database", "--to", postgres.new_database(), "--data-dir", str(server.data_dir))
    script = (
        "import sys; from losswise.cli import main; status = main(sys.argv[1:]); "
        # not ru_maxrss, which holds what the parent had when it forked
        "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))); sys.exit(status)"
    )
    done = subprocess.run(
        [server.command()[0], "-c", script, *words],
        env=server.environ,
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *lines, most = done.stdout.splitlines()
    assert "points: 2,000,000 rows" in lines
    assert int(most) < 200 * 1024  # KiB; the table is several times as large
