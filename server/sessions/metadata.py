"""A session's surroundings: git, environment, notes and the error that ended it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from losswise.protocol.limits import MAX_METADATA_BYTES

from ..db.engine import insert_or_update
from ..db.json_depth import shallow
from ..db.models import SessionMetadata
from .bounded_map import BoundedMap

MERGED = ("git", "env", "info")
FIELDS = (*MERGED, "error")


class MetadataChanges:
    """The metadata that a batch changes, gathered in memory and written together."""

    def __init__(self, connection: Connection, session_key: int) -> None:
        self._connection = connection
        self._session_key = session_key
        self._stored: dict[str, Any] | None = None
        self._maps: dict[str, BoundedMap] = {}
        self._error: Mapping[str, Any] | None = None

    def merge(self, fields: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Merge the entries of `git`, `env` and `info`."""
        for name in MERGED:
            if new := fields.get(name):
                if name not in self._maps:
                    self._maps[name] = BoundedMap(self._read().get(name), MAX_METADATA_BYTES)
                self._maps[name].update_with_cuts(new)

    def set_error(self, error: Mapping[str, Any]) -> None:
        self._error = error

    def write(self) -> None:
        changed: dict[str, Any] = {name: map_.values for name, map_ in self._maps.items()}
        if self._error is not None:
            changed["error"] = self._error
        if not changed:
            return
        values = {"git": {}, "env": {}, "info": {}, **changed}
        self._connection.execute(
            insert_or_update(self._connection, SessionMetadata.__table__)
            .values(session_key=self._session_key, **values)
            .on_conflict_do_update(index_elements=["session_key"], set_=changed)
        )

    def _read(self) -> dict[str, Any]:
        if self._stored is None:
            self._stored = read_metadata(self._connection, self._session_key)
        return self._stored


def read_metadata(connection: Connection, session_key: int) -> dict[str, Any]:
    """The metadata by FIELDS; empty if nothing is stored."""
    table = SessionMetadata.__table__
    row = connection.execute(select(table).where(table.c.session_key == session_key)).mappings().first()
    return {name: shallow(row[name]) for name in FIELDS} if row is not None else {}
