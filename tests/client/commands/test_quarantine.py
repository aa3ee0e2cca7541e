"""`losswise quarantine`: what could not be delivered is listed, sent again after a fix, or deleted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from losswise.cli import main
from losswise.delivery import resend
from losswise.delivery.client import Client, Response
from losswise.delivery.pacing import Timing
from losswise.delivery.quarantine_file import find_boxes
from losswise.journal.format import Header, record_line
from losswise.journal.paths import Paths
from losswise.journal.writer import Journal
from losswise.protocol.records import (
    graph_id,
    graph_record,
    image_record,
    new_id,
    points_record,
    session_record,
    status_record,
    text_record,
)
from tests.client.fake_server import FakeServer, Reply
from tests.support.server import Server

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(100)
SHA256 = hashlib.sha256(IMAGE).hexdigest()


def use(server: Server | FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key if isinstance(server, Server) else "k")


def rejecting(*words: str) -> Any:
    """An older server's limits: it takes no record in which one of these words stands."""

    def answer(batch: dict[str, Any]) -> Reply | None:
        texts = [json.dumps(record) for record in batch["records"]]
        bad = [index for index, text in enumerate(texts) if any(word in text for word in words)]
        if not bad:
            return None
        return 422, {"error": "no", "code": "bad_batch", "records": bad, "errors": ["not yet"] * len(bad)}, {}

    return answer


class Run:
    """What a run leaves if an older server takes a part of it only: points, a text and an image in quarantine."""

    def __init__(self, recorder: FakeServer, folder: Path) -> None:
        self.recorder, self.folder = recorder, folder
        journal = Journal(folder, Header.of_this_process(new_id(), new_id(), recorder.url))
        self.session, self.writer = journal.header.session, journal.header.writer
        self.graph = graph_id(self.session, "loss")
        journal.append([record_line(session_record(tag="run", created_at=1.0))])
        journal.append([record_line(graph_record(self.graph, "loss", kind="min"))])
        for x in range(6):
            name = "new" if x % 2 else "old"
            journal.append([record_line(points_record(self.graph, [x, x], [2.0, 2.0], {name: [float(x), 0.5]}))])
        journal.append([record_line(text_record("new", "notes"))])
        journal.add_image(SHA256, IMAGE)
        journal.append([record_line(image_record("faces", 1, "cat", SHA256))])
        journal.append([record_line(status_record("complete", 3.0))])
        journal.finish()
        recorder.answer = rejecting("new")
        recorder.answer_image = lambda sha256: (413, {"error": "too large"}, {})

    def refuse(self) -> None:
        assert main(["sync"]) == 1
        assert not list(self.folder.glob("*.journal"))
        assert self.recorder.refused() == {
            ("points loss new", "not yet"): 6,
            ("text new", "not yet"): 1,
            ("image", "too large"): 1,
        }

    def upgrade(self) -> None:
        """The server takes everything from now on."""
        self.recorder.answer = lambda batch: None
        self.recorder.answer_image = lambda sha256: None


@pytest.fixture
def run(recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    run = Run(recorder, journals)
    run.refuse()
    capsys.readouterr()
    return run


def test_it_is_listed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"session {run.session}, recorded for {run.recorder.url}, writer {run.writer}, in ")
    assert [line.split()[0] for line in lines[2:6] if line.split()[0].isdigit()] == ["4", "6", "8", "9"]
    assert "points loss new (2 points): not yet" in lines[2]
    assert f"image {SHA256[:12]}: too large" in "\n".join(lines)
    assert "losswise quarantine --send" in lines[-1]
    assert main(["status"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if run.session in line)
    assert line == f"  session {run.session}: 4 records, 1 image (not yet; too large)"


def test_it_is_listed_as_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for where in ([], [run.session], [str(run.folder)], [str(next(run.folder.glob("*.refused")))]):
        assert main(["quarantine", *where, "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert {each["number"] for each in listed} == {4, 6, 8, 9, None}
        assert {(each["session"], each["writer"], each["base_url"]) for each in listed} == {
            (run.session, run.writer, run.recorder.url)
        }
        by_what = {each["what"]: each for each in listed}
        assert (by_what["text new"]["reason"], by_what["text new"]["record"]["text"]) == ("not yet", "notes")
        assert Path(by_what["image"]["file"]).read_bytes() == IMAGE


def test_nothing_and_nowhere(journals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine"]) == 0
    assert main(["quarantine", "0" * 20, "--delete"]) == 0
    assert capsys.readouterr().out == "nothing is in quarantine\n" * 2
    assert main(["quarantine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["quarantine", "--send"]) == 0
    assert main(["quarantine", str(journals / "nowhere")]) == 1
    assert "neither a session's id nor a file in quarantine" in capsys.readouterr().err


def test_what_the_server_takes_after_a_fix_leaves_the_quarantine(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.upgrade()
    assert main(["quarantine", "--send"]) == 0
    assert f"session {run.session}: 5 records are stored now" in capsys.readouterr().err
    recorder = run.recorder
    assert recorder.points("new") == [(x, value) for x in (1, 3, 5) for value in (float(x), 0.5)]
    assert [record["text"] for record in recorder.records("text") if record["name"] == "new"] == ["notes"]
    assert recorder.blobs == {SHA256: IMAGE}
    assert list(run.folder.iterdir()) == []
    assert recorder.refused() == {}
    again = [batch for batch in recorder.batches if batch["writer"] != run.writer]
    assert {batch["session"] for batch in again} == {run.session}
    assert {batch["replay"] for batch in again} == {True}
    assert len({batch["writer"] for batch in again}) == 1
    assert main(["quarantine", "--send"]) == 0


def test_what_is_rejected_again_stays(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.recorder.answer = rejecting('"text"')
    assert main(["quarantine", "--send"]) == 1
    assert "3 records are stored now, 2 were rejected again and stay" in capsys.readouterr().err
    assert len(run.recorder.points("new")) == 6
    assert run.recorder.refused() == {("text new", "not yet"): 1, ("image", "too large"): 1}
    [box] = find_boxes(run.folder)
    assert {(refusal.what, refusal.number) for refusal in box.kept()} == {("text new", 9), ("image", None)}
    run.upgrade()
    assert main(["quarantine", run.session, "--send"]) == 0
    assert run.recorder.refused() == {}
    assert list(run.folder.iterdir()) == []
    assert len(run.recorder.points("new")) == 6


def test_another_reason_replaces_the_first(run: Run) -> None:
    run.recorder.answer = lambda batch: (
        (422, {"error": "record 2 of 9: other", "code": "bad_batch", "records": [bad[0]], "errors": ["other"]}, {})
        if (bad := [index for index, record in enumerate(batch["records"]) if record.get("text") == "notes"])
        else None
    )
    assert main(["quarantine", "--send"]) == 1
    assert run.recorder.refused() == {("text new", "other"): 1, ("image", "too large"): 1}


@pytest.mark.parametrize("interrupted_at", range(1, 8))
def test_an_attempt_that_is_interrupted_stores_nothing_twice(
    run: Run, monkeypatch: pytest.MonkeyPatch, interrupted_at: int
) -> None:
    """The process dies before its n-th request, or after it without having read the response."""
    run.recorder.answer = rejecting('"notes"')
    run.recorder.answer_image = lambda sha256: None
    for is_sent in (False, True):
        requests = 0
        with monkeypatch.context() as context:
            for name in ("post_batch", "put_blob"):
                original = getattr(Client, name)

                def dying(self: Client, *args: Any, original: Any = original) -> Response:
                    nonlocal requests
                    requests += 1
                    if requests == interrupted_at:
                        if is_sent:  # noqa: B023 - called at once
                            original(self, *args)
                        raise KeyboardInterrupt
                    response: Response = original(self, *args)
                    return response

                context.setattr(Client, name, dying)
            main(["quarantine", "--send"])
    assert main(["quarantine", "--send"]) == 1
    assert sorted(run.recorder.points("new")) == sorted((x, value) for x in (1, 3, 5) for value in (float(x), 0.5))
    assert run.recorder.refused() == {("text new", "not yet"): 1}
    [box] = find_boxes(run.folder)
    assert [refusal.number for refusal in box.kept()] == [9]


def test_a_server_that_is_away_takes_nothing_away(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
    before = len(next(iter(find_boxes(run.folder))).kept())
    assert main(["quarantine", "--send"]) == 1
    assert "stays in quarantine: http://127.0.0.1:9 cannot be reached" in capsys.readouterr().err
    assert len(next(iter(find_boxes(run.folder))).kept()) == before
    monkeypatch.setenv("LW_BASE_URL", run.recorder.url)
    run.upgrade()
    assert main(["quarantine", "--send"]) == 0
    assert len(run.recorder.points("new")) == 6


def test_without_a_key_it_says_how_to_get_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LW_API_KEY")
    assert main(["quarantine", "--send"]) == 1
    assert "losswise login" in capsys.readouterr().err


def test_a_journal_that_is_not_sent_yet_goes_first(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(recorder, journals)
    journal = next(journals.glob("*.journal"))
    saved = journal.read_bytes()
    run.refuse()
    journal.write_bytes(saved)
    capsys.readouterr()
    assert main(["quarantine", "--send"]) == 1
    assert "its journal is not sent yet: `losswise sync` first" in capsys.readouterr().err
    lock = Paths(journal).sending
    journal.unlink()
    assert lock.acquire()
    assert main(["quarantine", "--send"]) == 1
    assert main(["quarantine", "--delete", "--yes"]) == 1
    lock.release(remove=True)
    assert "try again when its script has ended" in capsys.readouterr().err
    run.upgrade()
    assert main(["quarantine", "--send"]) == 0


def test_a_real_server_gets_the_session_and_the_graph_too(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one server rejected is sent to another one, which has never heard of the session."""
    use(server, monkeypatch)
    assert main(["quarantine", "--send"]) == 0
    row = server.session(run.session)
    assert (row["tag"], row["created_at"], row["refused"], row["refusals"]) == ("run", 1.0, 0, [])
    assert [graph["title"] for graph in row["graphs"]] == ["loss"]
    assert server.points(run.graph)["new"]["x"] == [1, 1, 3, 3, 5, 5]
    blob = server.request("GET", f"/api/v2/sessions/{run.session}/blobs/{SHA256}")
    assert blob.content == IMAGE


def test_with_a_real_server_the_page_stops_saying_that_it_is_missing(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(server, monkeypatch)
    journal = Journal(journals, Header.of_this_process(new_id(), new_id(), server.url))
    session, graph = journal.header.session, graph_id(journal.header.session, "loss")
    lost = points_record(graph_id(session, "other"), [1, 2], [2.0, 2.0], {"a": [1.0, 2.0]})  # before its graph's record
    journal.append([record_line(session_record(tag="t", created_at=1.0)), record_line(lost), record_line(lost)])
    journal.append([record_line(graph_record(graph, "loss")), record_line({"type": "text", "name": "n", "text": 5})])
    journal.append([record_line(status_record("complete", 3.0))])
    journal.finish()
    assert main(["sync"]) == 1
    assert server.session(session)["refused"] == 5
    assert main(["quarantine", "--send"]) == 1
    row = server.session(session)
    assert row["refused"] == 5
    [file] = journals.iterdir()
    # a person mends the file: the graph, and the text
    mended = file.read_text().replace('"text":5', '"text":"five"')
    file.write_text(mended.replace(f'"graph":"{lost["graph"]}"', f'"graph":"{graph}"'))
    assert main(["quarantine", str(file), "--send"]) == 0
    row = server.session(session)
    assert (row["refused"], row["refusals"], row["status"]) == (0, [], "complete")
    assert server.points(graph)["a"]["x"] == [1, 1, 2, 2]
    assert row["texts"][0]["text"] == "five"
    assert list(journals.iterdir()) == []


def test_what_is_no_json_stays(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    file = next(path for path in run.folder.glob("*.refused") if SHA256[:12] not in path.name)
    with file.open("ab") as appended:
        appended.write(b"\0\0\0\n")
    run.upgrade()
    assert main(["quarantine", "--send"]) == 1
    assert "5 records are stored now, 1 cannot be read and stay" in capsys.readouterr().err
    assert main(["quarantine"]) == 0
    assert "unreadable" in capsys.readouterr().out


def test_it_is_deleted_after_a_question(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quarantine", "--delete"]) == 1  # nobody is there to answer
    assert len(list(run.folder.iterdir())) == 2
    asked: list[str] = []

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    for reply, status in (("", 1), ("n", 1), ("y", 0)):
        monkeypatch.setattr("builtins.input", lambda question, reply=reply: asked.append(question) or reply)
        assert main(["quarantine", "--delete"]) == status
    assert asked[0] == "Delete 5 records of 1 session from quarantine? They are stored nowhere else. [y/N] "
    assert list(run.folder.iterdir()) == []
    assert sum(run.recorder.refused().values()) == 8  # it is not stored, and the page goes on to say so


def test_it_is_deleted_without_a_question(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", run.session, "--delete", "--yes"]) == 0
    assert capsys.readouterr().out == "5 records deleted\n"
    assert list(run.folder.iterdir()) == []


def test_a_telling_that_fails_is_made_up_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is stored, and the server goes away before it hears that nothing is missing any more."""
    run.upgrade()
    run.recorder.answer = lambda batch: (500, {"error": "broken"}, {}) if not batch["records"] else None
    assert main(["quarantine", "--send"]) == 1
    run.upgrade()
    points = len(run.recorder.points("new"))
    assert main(["quarantine", "--send"]) == 0
    assert run.recorder.refused() == {}
    assert len(run.recorder.points("new")) == points == 6
    assert list(run.folder.iterdir()) == []


def test_many_sessions(recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was deleted on the server holds up no other."""
    runs = [Run(recorder, journals) for _ in range(3)]
    assert main(["sync"]) == 1
    gone = runs[1].session
    runs[0].upgrade()
    deleted: Reply = (410, {"error": "deleted", "code": "deleted_session"}, {})
    recorder.answer = lambda batch: deleted if batch["session"] == gone else None
    assert main(["quarantine", "--send"]) == 1
    assert {box.content.header.session for box in find_boxes(journals)} == {gone}
    assert len(recorder.points("new")) == 12


def test_resending_uses_the_given_times(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers nothing is given up after the time that `losswise sync` takes too."""
    run.recorder.answer = lambda batch: "hang"
    box = next(iter(find_boxes(run.folder)))
    client = Client(run.recorder.url, "k", timeout=0.3)
    with pytest.raises(resend.NotSent) as error:
        resend.send_again(box, client, Timing(response_timeout=0.3, sync_patience=0.5))
    assert error.value.is_server_lost
