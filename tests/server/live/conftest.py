"""What happens in the database's commits, as the tests of live updates hear it."""

from __future__ import annotations

import pytest
from losswise_server.live import changes as live_changes
from losswise_server.live.changes import Change


@pytest.fixture
def changes(app: None, monkeypatch: pytest.MonkeyPatch) -> list[Change]:
    """The change of each commit, in order."""
    told: list[Change] = []
    monkeypatch.setattr(live_changes, "notify", lambda connection, change: told.append(Change.read(change.payload())))
    return told
