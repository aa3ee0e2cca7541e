"""What an older program stored is there after the migrations."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from losswise_server import create_app
from losswise_server.config import load_settings
from losswise_server.db.engine import reading, writing
from losswise_server.db.models import Session
from losswise_server.extensions import db
from losswise_server.points import bucket_store, series, store
from losswise_server.points.summaries import Seal
from losswise_server.setup.upgrade import upgrade_schema
from sqlalchemy import select, text

from losswise.protocol import records
from tests.conftest import DATABASES, database_url
from tests.support.application import DirectWriting, application

POINTS: list[tuple[int, dict[str, Any]]] = [
    *((x, {"loss": x / 3, "accuracy": "NaN" if x == 77 else 1.0}) for x in range(400)),
    *((x, {"loss": "Infinity", "late": 7}) for x in range(400, 420)),
    (3, {"late": -2.5}),
]


@pytest.mark.parametrize("database", DATABASES)
def test_points_of_the_first_form_stay(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = database_url(database, request)
    app = create_app(load_settings(str(tmp_path), url, {}))
    with app.app_context():
        config = app.extensions["migrate"].migrate.get_config()
        with db.engine.connect() as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "0003")
        _store_as_before()
        db.engine.dispose()
    upgrade_schema(app)
    with application(tmp_path, url), reading() as connection:
        row = connection.execute(select(Session.__table__)).one()
        place = store.place_of(connection, row.key, 1)
        stored = [(point.x, point.y) for point in store.select(connection, row.key, 1)]
        assert stored == sorted(POINTS, key=lambda point: point[0])
        shown = series.series(place, Seal.load(row.seals["1"]), None, None, 20)
        assert not shown["exact"]
        seal = Seal.load(row.seals["1"])
        assert (seal.frontier, seal.loose) == (419, 0)
        assert bucket_store.whole(place, seal.top)[0]["count"] == 400
        assert max(value for value in shown["series"]["loss"]["max"] if value) == max(x / 3 for x in range(400))
        assert sum(shown["series"]["accuracy"]["nan"]) == 1


@pytest.mark.parametrize("database", DATABASES)
def test_they_are_sealed_with_the_next(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with application(tmp_path, database_url(database, request)):
        run = DirectWriting()
        graph = run.graph()
        xs = list(range(300))
        run.send(records.points_record(graph, xs, [1.0] * 300, {"a": [math.sin(x) for x in xs]}))
        with writing() as connection:  # as the migration leaves it
            key = connection.execute(select(Session.key)).scalar_one()
            connection.execute(text("DELETE FROM summaries WHERE session_key = :key"), {"key": key})
            table = Session.__table__
            connection.execute(table.update().values(seals={"1": [None, 300, 0, 0]}))
        run.send(records.points_record(graph, [300], [1.0], {"a": [2.0]}))
        with reading() as connection:
            row = connection.execute(select(Session.__table__)).one()
            seal = Seal.load(row.seals["1"])
            assert (seal.frontier, seal.loose) == (300, 0)
            place = store.place_of(connection, row.key, 1)
            shown = series.series(place, seal, None, None, 10)
            assert max(shown["series"]["a"]["max"]) == 2.0
            assert min(shown["series"]["a"]["min"]) == min(math.sin(x) for x in xs)


def _store_as_before() -> None:
    """A session as the schema before packed points holds it."""
    with writing() as connection:
        columns = {
            "key": 1,
            "id": records.new_id(),
            "project_id": 1,
            "tag": "old",
            "status": "complete",
            "created_at": 1.0,
            "updated_at": 1.0,
            "heard_at": 1.0,
            "search": "",
            "dropped": 0,
            "points": len(POINTS),
            "arrivals": len(POINTS),
            "version": 1,
            "protocol": 2,
            **dict.fromkeys(("params", "values", "stats", "graph_stats"), "{}"),
            **dict.fromkeys(("tags", "pace", "rewinds"), "[]"),
        }
        names = ", ".join(f'"{name}"' for name in columns)
        connection.execute(
            text(f"INSERT INTO sessions ({names}) VALUES ({', '.join(f':{name}' for name in columns)})"), columns
        )
        connection.execute(
            text(
                "INSERT INTO graphs (session_key, number, id, title, xlabel, ylabel) VALUES (1, 1, :id, 'loss', '', '')"
            ),
            {"id": records.new_id()},
        )
        connection.execute(
            text("INSERT INTO points (session_key, graph, x, arrival, t, y) VALUES (1, 1, :x, :arrival, :t, :y)"),
            [
                {"x": x, "arrival": arrival, "t": 1.0 + arrival, "y": json.dumps(y)}
                for arrival, (x, y) in enumerate(POINTS)
            ],
        )
