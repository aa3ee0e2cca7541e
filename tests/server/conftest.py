"""Fixtures of the server's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import DATABASES, database_url
from tests.support.application import application


@pytest.fixture(scope="module", params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The application in this process, for tests without HTTP."""
    with application(tmp_path_factory.mktemp("application"), database_url(request.param, request)):
        yield
