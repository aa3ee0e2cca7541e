"""A server that takes a request and does not answer: a line while it lasts, and the cause where the end gives up."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

import losswise
from losswise.cli import main
from losswise.delivery.pacing import Timing
from losswise.delivery.uploader import StepResult, Uploader
from losswise.journal.paths import find
from losswise.util.locks import FileLock
from losswise.util.paths import journal_folders, state_folder, sync_command
from tests.client.conftest import record_offline
from tests.client.delivery.sending import add_points, finish, new_journal, sending
from tests.client.fake_server import FakeServer
from tests.support.server import API_KEY, eventually


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.removeprefix("losswise: ") for line in capsys.readouterr().err.splitlines()]


def test_it_is_told_while_it_lasts_and_when_it_is_over(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing(silence=0.3))
    eventually(lambda: sender.has_sent(1))
    recorder.answer = lambda batch: "hang"
    add_points(journal, sender, 0, 1)
    eventually(lambda: len(recorder.batches) == 2, every=0.01)
    capsys.readouterr()
    sender.outages.check_silence()
    assert said(capsys) == []
    time.sleep(0.4)
    for _ in range(3):
        sender.outages.check_silence()
    assert said(capsys) == [f"{recorder.url} does not answer yet; everything is kept and sent later"]
    recorder.answer = lambda batch: None
    recorder.released.set()
    eventually(lambda: len(recorder.points("a")) == 1)
    finish(journal, sender)
    assert said(capsys) == [f"{recorder.url} answers again; sending what was kept"]


def test_the_line_comes_once_however_often_a_request_times_out(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.answer = lambda batch: "hang"
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing(response_timeout=0.7, silence=0.3))
    while len(recorder.batches) < 3:
        sender.outages.check_silence()
        time.sleep(0.01)
    assert said(capsys) == [f"{recorder.url} does not answer yet; everything is kept and sent later"]
    recorder.answer = lambda batch: None
    recorder.released.set()
    finish(journal, sender)


@pytest.mark.full
def test_a_session_notices_it_by_itself(recorder: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    recorder.answer = lambda batch: "hang"
    session = losswise.Session(track_git=False, console=False)
    capsys.readouterr()
    eventually(lambda: "does not answer yet" in capsys.readouterr().err, timeout=30.0)
    session.done(timeout=0.0)


def test_the_end_names_the_cause_once_and_no_number_twice(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.answer = lambda batch: "hang"
    session = losswise.Session(track_git=False, console=False)
    session.graph("loss").append(0, {"a": 1.0})
    capsys.readouterr()
    session.done(timeout=4.0)
    sending, left = said(capsys)
    size = r"\d+ bytes|\d+\.\d+ KiB"
    assert re.fullmatch(rf"sending what is left: ({size}) of session {session.id}", sending)
    assert re.fullmatch(
        rf"{recorder.url} does not answer; session {session.id}: ({size}) are not sent yet; "
        rf"they are kept in {journals}, and `losswise sync {journals}` sends them",
        left,
    )


def test_a_trouble_that_was_told_is_not_told_again_at_the_end(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.answer = lambda batch: (500, {"error": "broken"}, {})
    session = losswise.Session(track_git=False, console=False)
    eventually(lambda: len(recorder.batches) >= 2)
    time.sleep(0.2)
    session.done(timeout=0.5)
    lines = said(capsys)
    assert len([line for line in lines if "broken" in line]) == 1
    assert lines[-1].startswith(f"session {session.id}: ")


def test_a_sender_that_dies_lets_its_journal_go(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_(self: Uploader) -> StepResult:
        raise RuntimeError("broken")

    with monkeypatch.context() as broken:
        broken.setattr(Uploader, "step", break_)
        session = losswise.Session(track_git=False, console=False)
        session.graph("loss").append(0, {"a": 1.0})
        eventually(lambda: "broken" in capsys.readouterr().err)
        eventually(lambda: not list(journals.glob("*.sending")))
    [path] = find(journals)
    assert not FileLock(path.with_name(path.name.replace(".00001.journal", ".sending"))).is_held()
    session.done(timeout=0.0)
    assert main(["sync"]) == 0
    assert recorder.points("a") == [(0, 1.0)]
    assert list(journals.iterdir()) == []


def test_a_folder_that_a_plain_sync_does_not_look_in_is_named(
    journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record_offline(monkeypatch)
    assert f"offline: kept in {journals}; `losswise sync {journals}` sends it" in said(capsys)
    losswise.Session(track_git=False, console=False).done()
    assert f"then `losswise sync {journals}` sends it" in said(capsys)[-1]
    monkeypatch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LW_API_KEY", API_KEY)
    losswise.Session(track_git=False, console=False).done(timeout=0.2)
    assert f"kept in {journals}, and `losswise sync {journals}` sends them" in said(capsys)[-1]
    spaced = journals / "with a space"
    assert sync_command(spaced) == f"losswise sync '{spaced}'"
    assert sync_command(journal_folders()[1]) == sync_command(state_folder() / "journals") == "losswise sync"
