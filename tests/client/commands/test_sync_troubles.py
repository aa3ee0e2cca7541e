"""`losswise sync` where the server takes nothing: one sentence a person can act on, and an end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from losswise.cli import main
from losswise.commands.sync import sync
from losswise.delivery.pacing import Timing
from tests.client.conftest import ROOT, record_offline
from tests.client.fake_server import FakeServer, Reply
from tests.support.server import API_KEY, clean_environment

SIZE = r"\(\d+(\.\d+)? KiB\)"


def started(recorder: FakeServer, journals: Path, **options: Any) -> subprocess.Popen[str]:
    environ = clean_environment(
        journals.parent,
        LW_JOURNAL_DIR=str(journals),
        LW_BASE_URL=recorder.url,
        LW_API_KEY=API_KEY,
        PYTHONPATH=str(ROOT),
    )
    words = [sys.executable, "-m", "losswise", "sync"]
    return subprocess.Popen(words, env=environ, **{"stderr": subprocess.PIPE, "text": True, **options})


def test_a_refused_connection_is_one_sentence(
    journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_API_KEY", "k")
    monkeypatch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
    for _ in range(3):
        record_offline(monkeypatch)
    capsys.readouterr()
    begun = time.monotonic()
    assert main(["sync"]) == 1
    assert time.monotonic() - begun < 2.0
    [line] = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"losswise: http://127\.0\.0\.1:9 cannot be reached \(connection refused\), so 3 sessions are left "
        + SIZE
        + r"\. Start the server, or name another with LW_BASE_URL or `losswise login URL`; then run this again",
        line,
    )
    assert len(list(journals.glob("*.journal"))) == len(list(journals.iterdir())) == 3


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ("drop", "cannot be reached (it closed the connection without a response)"),
        ((500, {"error": "a bug"}, {}), "rejected the request (HTTP 500: a bug)"),
        (
            (200, "<html>welcome</html>", {}),
            "rejected the request (HTTP 200, and the response is not from a losswise server)",
        ),
    ],
)
def test_a_server_that_takes_nothing_is_given_up_in_words(
    recorder: FakeServer,
    journals: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: Reply,
    trouble: str,
) -> None:
    record_offline(monkeypatch)
    recorder.answer = lambda batch: answer
    capsys.readouterr()
    assert main(["sync"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"losswise: {recorder.url} {trouble}, so 1 session is left (")
    assert "later" not in line.split("Try again later")[0]


def test_a_server_that_says_it_has_less_than_was_sent_is_no_endless_loop(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = record_offline(monkeypatch)
    recorder.answer = lambda batch: (200, {"last": 0}, {})
    capsys.readouterr()
    assert main(["sync"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    left = f"losswise: session {session.id} is left: {recorder.url}"
    assert line.startswith(f"{left} acknowledges nothing new (its last record is 0)")


def test_a_refused_key_is_told_with_what_is_left(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        record_offline(monkeypatch)
    recorder.answer = lambda batch: (401, {"error": "no such key"}, {})
    capsys.readouterr()
    assert main(["sync"]) == 1
    told, left = capsys.readouterr().err.splitlines()
    assert "does not accept the API key (no such key)" in told
    assert re.fullmatch(f"losswise: 2 sessions are left {SIZE}", left)
    assert len(recorder.batches) == 1


def test_a_server_that_never_answers_is_told_of_and_given_up(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record_offline(monkeypatch)
    recorder.answer = lambda batch: "hang"
    capsys.readouterr()
    begun = time.monotonic()
    assert sync(timing=Timing(response_timeout=1.0, silence=0.3, sync_patience=1.9)) == 1
    assert 1.5 < time.monotonic() - begun < 4.0
    waiting, left = capsys.readouterr().err.splitlines()
    assert waiting == f"losswise: {recorder.url} does not answer yet; still trying, for up to a minute"
    assert left.startswith(f"losswise: {recorder.url} cannot be reached (no response in time), so 1 session is left (")
    assert len(recorder.batches) == 2


def test_a_server_that_answers_after_a_while_gets_everything(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy: Reply = (429, {"error": "busy"}, {"Retry-After": "0.5"})
    recorder.answer = lambda batch: busy if len(recorder.batches) <= 6 else None  # more than MAX_FAILURES
    session = record_offline(monkeypatch)
    capsys.readouterr()
    assert sync(timing=Timing(silence=0.3)) == 0
    waiting, again, sent = capsys.readouterr().err.splitlines()
    assert (
        waiting == f"losswise: {recorder.url} rejected the request (HTTP 429: busy); still trying, for up to a minute"
    )
    assert again == f"losswise: {recorder.url} answers again; sending what was kept"
    assert sent.startswith(f"losswise: session {session.id} is sent: {recorder.url}/s/{session.id} (")


@pytest.mark.full
def test_a_terminal_is_told_of_a_silent_server_and_ctrl_c_ends_at_once(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pty = pytest.importorskip("pty")
    record_offline(monkeypatch)
    recorder.answer = lambda batch: "hang"
    terminal, end = pty.openpty()
    process = started(recorder, journals, stderr=end, close_fds=True)
    os.close(end)
    shown = b""
    interrupted = 0.0
    with contextlib.suppress(OSError):  # the terminal's end
        while part := os.read(terminal, 4096):
            shown += part
            if b"does not answer yet" in shown and not interrupted:
                interrupted = time.monotonic()
                process.send_signal(signal.SIGINT)
    os.close(terminal)
    assert process.wait(10) == 130
    assert time.monotonic() - interrupted < 2.0
    text = shown.decode()
    assert "░" in text
    lines = text.replace("\r\x1b[K", "\n").replace("\r", "").split("\n")
    assert f"losswise: {recorder.url} does not answer yet; still trying, for up to a minute" in lines
    assert re.fullmatch(f"losswise: interrupted; 1 session is left {SIZE}. Run this again to send the rest", lines[-3])
    assert "Traceback" not in text
    assert len(list(journals.iterdir())) == 1


def test_a_server_that_goes_away_in_the_middle(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        record_offline(monkeypatch)
    recorder.answer = lambda batch: None if batch["session"] == recorder.batches[0]["session"] else "drop"
    capsys.readouterr()
    assert main(["sync"]) == 1
    sent, left = capsys.readouterr().err.splitlines()
    assert sent.startswith(f"losswise: session {recorder.batches[0]['session']} is sent: ")
    assert ", so 2 sessions are left (" in left
    recorder.answer = lambda batch: None
    assert main(["sync"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "losswise: 2 sessions are sent"
    assert len(recorder.points("a")) == 300


def test_a_project_that_the_key_may_not_write_keeps_no_other_back(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed, open_ = record_offline(monkeypatch), record_offline(monkeypatch)
    forbidden: Reply = (403, {"error": "not this project"}, {})
    recorder.answer = lambda batch: forbidden if batch["session"] == closed.id else None
    capsys.readouterr()
    assert main(["sync"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert f"losswise: session {closed.id} is left" in lines
    assert any(line.startswith(f"losswise: session {open_.id} is sent: ") for line in lines)
    assert lines[-1] == "losswise: 1 session is sent, 1 is left"
