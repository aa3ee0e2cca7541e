"""What goes into one batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from losswise.delivery.client import Client
from losswise.delivery.uploader import Step, Uploader
from losswise.journal.format import Header
from losswise.journal.reader import JournalReader
from losswise.journal.writer import Journal
from losswise.protocol.records import new_id, points_record, session_record
from tests.client.fake_server import FakeServer

GRAPH = "0" * 20


def append(journal: Journal, x: int) -> None:
    journal.append([json.dumps(points_record(GRAPH, [x], [1.0], {"a": [float(x)]})).encode() + b"\n"])


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_batch_that_waits_grows_with_what_follows_it_without_a_gap(
    recorder: FakeServer, tmp_path: Path, is_there: bool, is_full: bool
) -> None:
    """The number of a batch's last record is counted from its first, so a batch ends with its segment."""
    journal = Journal(tmp_path, Header.of_this_process(new_id(), new_id(), recorder.url))
    journal._segment_bytes = 600
    head = journal.path.stat().st_size
    journal.append([json.dumps(session_record(tag="a", created_at=1.0)).encode() + b"\n"])
    append(journal, 2)
    while is_full and journal.path.stat().st_size - head <= 600:  # the next record goes to the next segment
        append(journal, journal.count + 1)
    before = journal.count

    def meanwhile() -> None:
        """Two segments are written, of which another process removes one."""
        while journal.header.segment < 4:
            append(journal, journal.count + 1)
        if not is_there:
            journal.paths.segment(2).unlink()

    waited: list[Callable[[], None]] = [meanwhile]
    uploader = Uploader(
        JournalReader(journal.path),
        Client(recorder.url, "k"),
        is_muted=True,
        await_turn=lambda _interval: waited.pop()() if waited else None,
    )
    while uploader.step().step is not Step.IDLE:
        pass
    numbered = [batch for batch in recorder.batches if batch["records"] and "seq" in batch]
    assert (len(numbered[0]["records"]) == before) is is_full  # else it grew while it waited
    for batch in numbered:
        assert batch["records"][-1]["x"] == [batch["seq"]]  # a point's x is its record's number
    assert (len(recorder.points("a")) == journal.count - 1) is is_there
