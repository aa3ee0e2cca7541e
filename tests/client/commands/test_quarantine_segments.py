"""`losswise quarantine --send` with damaged segments, and with files of the first releases."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from losswise.cli import main
from losswise.journal.format import Header, record_line
from losswise.journal.reader import JournalReader
from losswise.protocol.records import graph_id, graph_record, new_id, points_record, session_record, text_record
from tests.client.journal.test_damage import left, spoil, xs
from tests.support.server import Server

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(100)
SHA256 = hashlib.sha256(IMAGE).hexdigest()


@pytest.fixture(autouse=True)
def synced(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is the one that the commands send to."""
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)


def test_the_readable_records_of_a_damaged_segment_are_sent(server: Server, journals: Path) -> None:
    segments = left(journals, server.url)
    session = JournalReader(segments[0]).header.session
    spoil(segments[2])
    lost = xs(segments[2])
    assert main(["sync"]) == 1
    row = server.session(session)
    assert row["points"] == 100 - len(lost)
    assert row["refused"] >= len(lost)
    assert main(["quarantine", "--send"]) == 0
    row = server.session(session)
    assert row["points"] == 100
    assert (row["refused"], row["refusals"]) == (0, [])
    assert list(journals.iterdir()) == []


def test_what_cannot_be_read_of_a_damaged_segment_stays_counted(server: Server, journals: Path) -> None:
    segments = left(journals, server.url)
    session = JournalReader(segments[0]).header.session
    lines = segments[2].read_bytes().splitlines(keepends=True)
    segments[2].write_bytes(b"x" + b"".join(lines)[1:-60] + b"\0" * 59 + b"\n")  # the last record is gone too
    assert main(["sync"]) == 1
    assert main(["quarantine", "--send"]) == 0
    row = server.session(session)
    assert (row["points"], row["refused"]) == (99, 1)
    assert list(journals.iterdir()) == []


def test_a_segment_that_was_sent_in_part_is_not_sent_twice(server: Server, journals: Path) -> None:
    """A script was killed after the server had half of a segment; then the disk damaged it."""
    segments = left(journals, server.url)
    reader = JournalReader(segments[0])
    header = reader.header
    half = Header.parse(segments[2].read_bytes().splitlines()[0]).first + 2
    records = []
    while read := reader.read(10_000):
        records += read
    sent = [json.loads(line) for line in records[:half]]
    answer = server.post_batch(header.session, sent, writer=header.writer, seq=half, replay=True)
    assert answer.status_code == 200
    spoil(segments[2])
    assert main(["sync"]) == 1
    assert main(["quarantine", "--send"]) == 0
    row = server.session(header.session)
    assert (row["points"], row["refused"]) == (100, 0)


def test_files_of_the_first_releases_are_read(
    server: Server, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Raw records, and images and segments that no other file tells of."""
    journals.mkdir()
    session, writer = new_id(), new_id()
    stem = f"20261129-103341-{session}-{writer}"
    graph = graph_id(session, "loss")
    raw = [text_record("note", "old"), text_record("note 2", "old")]
    (journals / f"{stem}.refused").write_bytes(b"".join(record_line(record) for record in raw))
    (journals / f"{stem}.{SHA256[:12]}.refused").write_bytes(IMAGE)
    header = Header(session, writer, server.url, segment=2, first=3, preamble=2)
    known = [session_record(tag="old"), graph_record(graph, "loss")]
    points = [points_record(graph, [x], [2.0], {"a": [1.0]}) for x in range(5)]
    segment = b"x" + header.line() + b"".join(record_line(record) for record in [*known, *points])
    (journals / f"{stem}.00002.refused").write_bytes(segment)
    assert main(["quarantine", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["session"], each["writer"]) for each in listed] == [(session, writer)] * 4
    assert main(["status"]) == 0
    assert f"session {session}: 2 records, 1 image, 1 damaged file" in capsys.readouterr().out
    assert main(["quarantine", "--send"]) == 0
    row = server.session(session)
    assert (row["points"], row["refused"]) == (5, 0)
    assert [text["name"] for text in row["texts"]] == ["note", "note 2"]
    assert server.request("GET", f"/api/v2/sessions/{session}/blobs/{SHA256}").content == IMAGE
    assert list(journals.iterdir()) == []
