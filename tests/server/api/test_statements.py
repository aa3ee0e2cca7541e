"""How many SQL statements requests take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from losswise_server.db.models import User
from losswise_server.extensions import db

from losswise.protocol import records
from tests.conftest import DATABASES, database_url
from tests.support.application import DirectWriting, application, counted_statements


@pytest.fixture(params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    with application(tmp_path, database_url(request.param, request)) as app:
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that is signed in."""
    for number in range(3):
        run = DirectWriting()
        graph = records.graph_id(run.session, "loss")
        run.send(
            records.graph_record(graph, "loss", kind="min"),
            records.points_record(graph, [1], [1.0], {"a": [float(number)]}),
        )
    user = db.session.query(User).first()
    assert user is not None
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = str(user.id), True
    db.session.remove()
    return client


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sort=min(a)&counts=0", 7),  # user, memberships, projects; keys, rows, graphs; cursor
        ("sort=min(a)", 8),  # and counts
        ("sort=min(a)&best=min(a)&best=max(a)", 9),  # and the best values
    ],
)
def test_the_list_of_sessions(client: FlaskClient, query: str, expected: int) -> None:
    with counted_statements() as statements:
        answer = client.get(f"/api/v2/sessions?project_id=1&{query}")
    assert answer.status_code == 200
    assert len((answer.json or {})["sessions"]) == 3
    assert len(statements) == expected, statements
