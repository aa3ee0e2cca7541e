"""Fixtures of the integrations' tests: a server that this process's sessions go to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from losswise.util import messages
from tests.support.server import Server

os.environ.setdefault("KERAS_BACKEND", "torch")


@pytest.fixture
def watched(server: Server, clean_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """The server, as the one that LW_BASE_URL and LW_API_KEY name; and a working folder of the test's own."""
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    monkeypatch.setattr(messages, "_said", set())  # what is said once is said in each test
    monkeypatch.chdir(tmp_path)
    return server
