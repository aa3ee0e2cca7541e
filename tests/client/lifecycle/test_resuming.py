"""`Session(resume=ID)` where the server knows the id, and where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.cli import main
from losswise.protocol.records import graph_id, new_id
from tests.client.conftest import Script
from tests.client.fake_server import FakeServer
from tests.support.server import Server, eventually

Start = Callable[..., Script]

RESUMES = """
    import sys
    import losswise
    losswise.set_base_url({url!r})
    losswise.set_api_key({key!r})
    with losswise.Session(resume={id!r}, track_git=False) as session:
        session.log({{"loss": {value}}}, x={x})
    print(session)
"""


def resuming(server: Server, id_: str, x: int = 0) -> str:
    return RESUMES.format(url=server.url, key=server.api_key, id=id_, x=x, value=1.0)


def told(errors: str) -> list[str]:
    return [line for line in errors.splitlines() if "a new one was created" in line]


def test_an_id_that_the_server_does_not_know_is_said_and_has_a_name(server: Server, script: Start) -> None:
    id_ = new_id()
    first = script(resuming(server, id_))
    assert first.wait() == 0, first.errors
    assert told(first.errors) == [f"losswise: there was no session {id_} on {server.url}; a new one was created"]
    assert f"'session {id_[:4]}'" in first.output
    again = script(resuming(server, id_, x=1))
    assert again.wait() == 0
    assert told(again.errors) == []
    found = server.session(id_)
    assert (found["tag"], found["status"]) == (f"session {id_[:4]}", "complete")
    assert server.get("/api/v2/sessions", q=f"session {id_[:4]}")["sessions"][0]["id"] == id_
    assert server.points(graph_id(id_, "loss"))["loss"]["x"] == [0, 1]


def test_the_session_itself_may_come_after_who_resumes_it(server: Server, script: Start) -> None:
    """As where several processes share a session, and its own is not the fastest."""
    id_ = new_id()
    assert script(resuming(server, id_)).wait() == 0
    tagged = resuming(server, id_).replace("track_git=False", "track_git=False, tag='mlp'")
    assert script(tagged).wait() == 0
    assert server.session(id_)["tag"] == "mlp"


def test_processes_that_share_an_id_say_it_once(server: Server, script: Start) -> None:
    id_ = new_id()
    scripts = [script(resuming(server, id_, x=x)) for x in range(4)]
    assert [started.wait() for started in scripts] == [0] * 4
    assert len([line for started in scripts for line in told(started.errors)]) == 1
    assert sorted(server.points(graph_id(id_, "loss"))["loss"]["x"]) == [0, 1, 2, 3]


def test_a_new_session_says_nothing_of_the_kind(server: Server, script: Start) -> None:
    run = script(resuming(server, "").replace("resume=''", "tag='new'"))
    assert run.wait() == 0
    assert told(run.errors) == []


def test_sync_says_it_too(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    monkeypatch.setenv("LW_MODE", "offline")
    losswise.Session(resume=new_id(), track_git=False).done()
    capsys.readouterr()
    assert main(["sync"]) == 0
    assert len(told(capsys.readouterr().err)) == 1


def test_an_older_server_does_not_say_it(recorder: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    def as_before(batch: dict[str, Any]) -> Any:
        status, body, headers = recorder._apply(batch)  # type: ignore[str-unpack]
        body.pop("created", None)
        return status, body, headers

    recorder.answer = as_before
    with losswise.Session(resume=new_id(), track_git=False) as session:
        session.log({"loss": 1.0})
    assert told(capsys.readouterr().err) == []
    assert recorder.points("loss") == [(0, 1.0)]


KILLED = """
    import time
    import losswise
    losswise.set_base_url({url!r})
    losswise.set_api_key({key!r})
    session = losswise.Session(resume={id!r}, track_git=False)
    session.log({{"loss": 1.0}}, x=0)
    session.flush()
    print("ready", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_run_began_is_complete_when_the_one_that_goes_on_ends(server: Server, script: Start) -> None:
    """At once, not when the killed one has been silent for a minute: its journal is sent, and says that it is dead."""
    id_ = new_id()
    killed = script(KILLED.format(url=server.url, key=server.api_key, id=id_))
    killed.until("ready")
    killed.process.kill()
    killed.process.wait()
    assert server.session(id_)["status"] == "active"
    assert script(resuming(server, id_, x=1)).wait() == 0
    found = eventually(lambda: (found := server.session(id_))["status"] != "active" and found)
    assert (found["status"], found["reason"]) == ("complete", None)
    assert server.points(graph_id(id_, "loss"))["loss"]["x"] == [0, 1]


def test_sync_says_that_a_killed_run_is_dead(
    server: Server, script: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = new_id()
    killed = script(KILLED.format(url=server.url, key=server.api_key, id=id_))
    killed.until("ready")
    killed.process.kill()
    killed.process.wait()
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    for _ in range(2):
        assert main(["sync", str(tmp_path / "journals")]) == 0
        found = server.session(id_)
        assert (found["status"], found["reason"]) == ("cancelled", "silent")
        assert len(server.points(graph_id(id_, "loss"))["loss"]["x"]) == 1
