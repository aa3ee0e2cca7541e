"""A test's sessions say nothing in the next test."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.lifecycle import open_sessions
from losswise.util import messages
from tests.client.fake_server import FakeServer
from tests.support.quiet import SPEAKING, end_sessions
from tests.support.server import eventually

ANSWERS: list[Any] = [
    (401, {"error": "no such key"}, {}),  # tried again after a minute
    (503, {"error": "busy"}, {"Retry-After": "30"}),
    (500, "no", {}),
    None,
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("is_done", [pytest.param(True, marks=pytest.mark.full), False])
def test_senders_that_are_left_end(
    answer: Any, is_done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_JOURNAL_DIR", str(tmp_path))
    monkeypatch.setattr(messages, "_said", set())
    recorder = FakeServer()
    recorder.answer = lambda batch: answer
    session = losswise.Session(track_git=False, base_url=recorder.url, api_key="k")
    session.log({"loss": 1.0})
    eventually(lambda: recorder.batches)
    if is_done:
        session.done(timeout=0.0)
    recorder.close()
    end_sessions()
    assert [thread.name for thread in threading.enumerate() if thread.name in SPEAKING] == []
    assert not open_sessions._state.sessions
