"""`losswise sync` and `losswise status`, with real servers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from losswise.cli import main
from tests.client.conftest import ROOT, Script, record_offline
from tests.client.fake_server import FakeServer
from tests.support.server import API_KEY, Server, clean_environment


def use(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)


def test_an_offline_session_is_sent_once_however_often_sync_runs(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = record_offline(monkeypatch)
    copy = next(journals.iterdir())
    saved = copy.read_bytes()
    use(server, monkeypatch)
    assert main(["status"]) == 0
    assert session.id in capsys.readouterr().out
    assert main(["sync"]) == 0
    copy.write_bytes(saved)
    assert main(["sync", str(journals)]) == 0
    assert list(journals.iterdir()) == []
    assert main(["sync"]) == 0
    assert server.points(session.graph("loss").id)["a"]["x"] == list(range(100))
    found = server.session(session.id)
    assert (found["tag"], found["status"], found["points"]) == ("offline", "complete", 100)


def test_a_torn_last_line_is_dropped_with_a_word(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record_offline(monkeypatch)
    journal = next(journals.iterdir())
    journal.write_bytes(journal.read_bytes()[:-20])
    assert main(["sync"]) == 0
    assert "torn" in capsys.readouterr().err
    assert recorder.points("a") == [(x, float(x)) for x in range(100)]
    assert [record["reason"] for record in recorder.records("status")] == ["silent"]  # what it said itself is torn
    assert {batch["replay"] for batch in recorder.batches} == {True}
    assert list(journals.iterdir()) == []


def test_sync_says_what_is_left_where_it_cannot_send(
    journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record_offline(monkeypatch)
    assert main(["sync"]) == 1
    assert "losswise login" in capsys.readouterr().err
    monkeypatch.setenv("LW_API_KEY", "k")
    monkeypatch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
    assert main(["sync"]) == 1
    assert "1 session is left" in capsys.readouterr().err
    assert main(["sync", str(journals / "nowhere")]) == 1
    assert len(list(journals.glob("*.journal"))) == 1


def test_a_file_that_is_no_journal_is_left_alone(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journals.mkdir()
    (journals / "x.journal").write_text("{}\n")
    assert main(["sync"]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert (journals / "x.journal").read_text() == "{}\n"


def test_a_script_that_sends_is_left_alone_and_one_that_does_not_can_be_synced(
    recorder: FakeServer, script: Callable[..., Script], journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = """
        import losswise
        session = losswise.Session(track_git=False)
        session.graph("loss").append(0, {"a": 1.0})
        session.flush(3.0)
        print("ready", flush=True)
        input()
    """
    sending = script(code, LW_BASE_URL=recorder.url, LW_API_KEY=API_KEY, LW_JOURNAL_DIR=str(journals / "one"))
    silent = script(code, LW_MODE="offline", LW_JOURNAL_DIR=str(journals / "two"))
    sending.until("ready")
    silent.until("ready")
    capsys.readouterr()
    assert main(["sync", str(journals / "one")]) == 1
    assert "its own script is sending it" in capsys.readouterr().err
    assert {batch["replay"] for batch in recorder.batches} == {False}  # its own script's
    assert main(["sync", str(journals / "two")]) == 0
    assert "is sent so far" in (said := capsys.readouterr().err)
    assert "its script is still running" in said
    assert len(list((journals / "two").glob("*.journal"))) == 1
    assert len(recorder.points("a")) == 2


def test_what_was_recorded_for_another_address_is_told(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = record_offline(monkeypatch, base_url="http://other:1")
    for _ in range(2):
        record_offline(monkeypatch, base_url="http://third:1")
    record_offline(monkeypatch)
    capsys.readouterr()
    assert main(["sync"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines[:2]) == [
        f"losswise: 2 sessions were recorded for http://third:1; sending to {recorder.url}",
        f"losswise: session {session.id} was recorded for http://other:1; sending to {recorder.url}",
    ]
    assert lines[-1] == "losswise: 4 sessions are sent"


def test_the_processes_of_a_session_are_told_of_as_one(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = record_offline(monkeypatch)
    record_offline(monkeypatch, resume=session.id)
    capsys.readouterr()
    assert main(["sync"]) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"losswise: session {session.id} is sent: {recorder.url}/s/{session.id} (")
    assert len(recorder.points("a")) == 200


def test_a_killed_scripts_journal_is_synced(
    server: Server, script: Callable[..., Script], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        import losswise
        session = losswise.Session(track_git=False)
        for x in range(1_000):
            session.graph("loss").append(x, {"a": float(x)})
        session.flush(1.0)
        print(session.graph("loss").id)
        print("ready", flush=True)
        input()
    """
    run = script(code, LW_BASE_URL="http://127.0.0.1:9", LW_API_KEY="k")
    run.until("ready")
    run.process.kill()
    run.wait()
    use(server, monkeypatch)
    assert main(["sync", str(tmp_path / "journals")]) == 0
    assert server.points(run.output.split()[0])["a"]["y"] == [float(x) for x in range(1_000)]
    assert list((tmp_path / "journals").iterdir()) == []


def test_a_terminal_sees_a_progress_bar(server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pty = pytest.importorskip("pty")
    record_offline(monkeypatch, 50_000)
    record_offline(monkeypatch, 100)
    terminal, end = pty.openpty()
    environ = clean_environment(
        journals.parent, LW_JOURNAL_DIR=str(journals), LW_BASE_URL=server.url, LW_API_KEY=API_KEY, PYTHONPATH=str(ROOT)
    )
    process = subprocess.Popen([sys.executable, "-m", "losswise", "sync"], env=environ, stderr=end, close_fds=True)
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert process.wait(30) == 0
    text = shown.decode()
    assert "█" in text
    assert "% of" in text
    lines = text.replace("\r\x1b[K", "\n").replace("\r", "").split("\n")
    assert "losswise: 2 sessions are sent" in lines  # nothing of the bar is left in the line
