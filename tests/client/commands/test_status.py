"""`losswise status`: what stands on this disk, where, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from losswise.cli import main
from losswise.util.paths import journal_folders
from tests.client.conftest import Script, record_offline
from tests.client.fake_server import FakeServer
from tests.support.server import API_KEY

LIVE = """
    import losswise
    session = losswise.Session(track_git=False)
    for x in range(1_000):
        session.graph("loss").append(x, {"a": 1.0})
    session.flush(2.0)
    print(session.id)
    print("ready", flush=True)
    input()
"""


def test_it_names_the_folder_the_size_the_state_and_how_to_send(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = record_offline(monkeypatch)
    assert main(["status"]) == 0
    heading, _, row, hint = capsys.readouterr().out.splitlines()
    assert heading == f"in {journals}:"
    assert row.split()[0] == session.id
    assert "KiB  left over " in row
    assert row.endswith(recorder.url)
    assert hint == f"`losswise sync` sends what is left over to {recorder.url}"


def test_without_a_key_it_says_how_to_get_one(
    journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record_offline(monkeypatch)
    monkeypatch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
    assert main(["status", str(journals)]) == 0
    hint = capsys.readouterr().out.splitlines()[-1]
    assert hint.startswith("no API key for http://127.0.0.1:9: `losswise login http://127.0.0.1:9`")
    assert f"`losswise sync {journals}` sends what is left over to http://127.0.0.1:9" in hint


def test_the_folder_among_the_temporary_files_is_named_as_such(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = record_offline(monkeypatch)
    monkeypatch.setenv("LW_JOURNAL_DIR", str(Path(__file__) / "journals"))  # below a file, so it cannot be made
    other = record_offline(monkeypatch)
    monkeypatch.setenv("LW_JOURNAL_DIR", str(journals))
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    temporary = journal_folders()[1]
    assert [line for line in lines if line.startswith("in ")] == [
        f"in {journals}:",
        f"in {temporary}, among the temporary files:",
    ]
    assert [line.split()[0] for line in lines if "left over " in line and "losswise" not in line] == [
        usual.id,
        other.id,
    ]
    assert main(["sync"]) == 0
    assert len(recorder.points("a")) == 200
    assert list(temporary.iterdir()) == []


def test_a_folder_that_is_both_is_listed_once(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_JOURNAL_DIR", str(journal_folders()[1]))
    session = record_offline(monkeypatch)
    assert main(["status"]) == 0
    assert capsys.readouterr().out.count(session.id) == 1


def test_a_running_script_is_told_from_what_is_left_over(
    recorder: FakeServer, script: Callable[..., Script], journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sending = script(LIVE, LW_BASE_URL=recorder.url, LW_API_KEY=API_KEY)
    silent = script(LIVE, LW_BASE_URL=recorder.url, LW_MODE="offline")
    for run in (sending, silent):
        run.until("ready")
    capsys.readouterr()
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    states = {line.split()[0]: line for line in lines if recorder.url in line}
    assert "its script sends it" in states[sending.output.split()[0]]
    assert "still recording" in states[silent.output.split()[0]]
    assert lines[-2] == f"`losswise sync` sends what is recorded so far to {recorder.url}"
    assert lines[-1].startswith("the journal of a running script stays on disk until the script ends")


def test_nothing_and_no_folder(journals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    assert capsys.readouterr().out == f"nothing is left to send in {journals}\n"
    assert main(["status", str(journals / "nowhere")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_a_mode_in_which_nothing_is_recorded_stops_neither_status_nor_sync(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = record_offline(monkeypatch)
    monkeypatch.setenv("LW_MODE", "disabled")
    assert main(["status"]) == 0
    assert session.id in capsys.readouterr().out
    assert main(["sync"]) == 0
    assert len(recorder.points("a")) == 100
    assert list(journals.iterdir()) == []


def test_a_killed_scripts_journal_is_not_said_to_be_unsent(
    recorder: FakeServer, script: Callable[..., Script], journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = script(LIVE, LW_BASE_URL=recorder.url, LW_API_KEY=API_KEY)
    run.until("ready")
    run.process.kill()
    run.wait()
    capsys.readouterr()
    assert main(["status"]) == 0
    row, _, hint = capsys.readouterr().out.splitlines()[-3:]
    assert "left over" in row
    assert hint == "a killed script's journal may have been delivered already; `losswise sync` makes sure"


def test_what_was_set_aside_is_listed(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = record_offline(monkeypatch)
    refused: tuple[int, dict[str, str], dict[str, str]] = (422, {"error": "bad", "code": "bad_batch"}, {})
    recorder.answer = lambda batch: refused if any("y" in record for record in batch["records"]) else None
    assert main(["sync"]) == 1
    [file] = journals.iterdir()
    capsys.readouterr()
    assert main(["status"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"nothing is left to send in {journals}",
        "in quarantine, because a server rejected it or it is damaged; `losswise quarantine` lists it all:",
        f"  session {session.id}: 1 record (bad)",
    ]
    assert session.id in file.name
