"""Whatever value is handed in anywhere: nothing is raised, its neighbours are kept, no record is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from losswise_server.ingest.decoding import decode_batch

import losswise
from tests.client.conftest import journal_records
from tests.client.values.doors import DOORS
from tests.client.values.hostile_leaves import LEAVES

MAX_RECORD_BYTES = 4 * 1024 * 1024


@pytest.fixture
def start(journals: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LW_MODE", "offline")
    return lambda **options: losswise.Session("tag", track_git=False, console=False, **options)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("leaf", LEAVES)
def test_a_value_that_raises_lies_or_never_ends(
    start: Any, journals: Path, capsys: pytest.CaptureFixture[str], door: str, leaf: str
) -> None:
    value = LEAVES[leaf]()
    session = DOORS[door].use(start, value)
    session.done()
    records = journal_records(journals)
    assert_taken(session.id, records)
    assert records[0]["type"] == "session"
    assert records[0]["tag"] == "tag"
    assert records[-1]["type"] == "status"
    DOORS[door].check(records)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len(said.splitlines()) < 16


def assert_taken(session: str, records: list[dict[str, Any]]) -> None:
    """The server takes each of the records."""
    for record in records:
        line = json.dumps(record)
        assert len(line) < MAX_RECORD_BYTES
        batch = {"format": 1, "session": session, "writer": session, "seq": 1, "records": [record]}
        decode_batch(json.dumps(batch).encode())
