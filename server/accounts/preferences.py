"""What a person has set up in a project, so that another browser of theirs has it too."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, select

from ..db.engine import insert_or_update
from ..db.preference_models import Preference

NAMES = ("columns",)

_table = Preference.__table__


def read_preferences(connection: Connection, user_id: int, project_id: int) -> dict[str, Any]:
    """What the person has set up in the project, by name."""
    query = select(_table.c.name, _table.c.value).where(_table.c.user_id == user_id, _table.c.project_id == project_id)
    return {row.name: row.value for row in connection.execute(query)}


def write_preference(connection: Connection, user_id: int, project_id: int, name: str, value: Any) -> None:
    """Replace what the person has set up under this name."""
    changed = {"value": value, "updated_at": time.time()}
    statement = insert_or_update(connection, _table).values(
        user_id=user_id, project_id=project_id, name=name, **changed
    )
    connection.execute(statement.on_conflict_do_update(index_elements=["user_id", "project_id", "name"], set_=changed))
