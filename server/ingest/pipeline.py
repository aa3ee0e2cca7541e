"""The one door into storage: a batch of records is checked, and applied once, in one transaction.

Every client goes through here: v2 batches, v1 calls that became records, `losswise sync`, importers.
"""

from __future__ import annotations

import time
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from losswise.protocol import limits, validation
from losswise.protocol.records import Record
from losswise.protocol.validation import BadRecord

from ..accounts.permissions import Access
from ..accounts.projects import project_named
from ..db.engine import is_sqlite, writing
from ..db.models import DeletedSession, Project, Session
from ..exceptions import Refused
from ..extensions import db
from ..live import changes
from .session_state import SessionState


@dataclass(frozen=True)
class Batch:
    """Records of one session. `seq` is the number of the last, counted by their writer from 1; without it the
    records are not numbered (v1, and the resend of session and graph records)."""

    session: str
    records: list[Record]
    writer: str | None = None
    seq: int | None = None
    replay: bool = False
    protocol: int = 2


class Applied(NamedTuple):
    """What became of a batch: the number of its writer's last record, and whether it made the session."""

    last: int
    created: bool


def read_batch(body: Any, checked: Container[int] = ()) -> Batch:
    """The batch that a request's JSON holds; `checked` are the places of records that need no check any more.

    Raises Refused with 422.
    """
    if isinstance(body, dict) and body.get("format", limits.FORMAT) != limits.FORMAT:
        raise Refused(
            422,
            "unsupported_format",
            f"this server reads format {limits.FORMAT} of the records, not {str(body['format'])[:20]}",
        )
    try:
        validation.check_batch(body)
        batch = Batch(
            session=body["session"],
            records=body.get("records", []),
            writer=body.get("writer"),
            seq=body.get("seq"),
            replay=body.get("replay", False),
        )
        check(batch.records, checked)
        if batch.seq is None and any(record["type"] not in ("session", "graph") for record in batch.records):
            raise BadRecord("a batch without 'seq' may hold session and graph records only")
    except BadRecord as error:
        raise Refused(422, "bad_batch", str(error)) from None
    return batch


def check(records: list[Record], checked: Container[int] = ()) -> None:
    """Raise BadRecord, with the record's place among the others, at the first that breaks the format."""
    points = values = 0
    for place, record in enumerate(records):
        try:
            if place in checked or validation.check_record(record) == "points":
                points += len(record["x"])
                values += len(record["x"]) * len(record["y"])
        except BadRecord as error:
            raise BadRecord(f"record {place + 1} of {len(records)}: {error}") from None
    if points > limits.MAX_BATCH_POINTS:
        raise Refused(413, "too_large", f"{points} points in a batch; at most {limits.MAX_BATCH_POINTS} are taken")
    if values > limits.MAX_BATCH_VALUES:
        sentence = f"{values} values (points times names) in a batch; at most {limits.MAX_BATCH_VALUES} are taken"
        raise Refused(413, "too_large", sentence)


def apply(batch: Batch, access: Access) -> Applied:
    """Apply the batch's records that were not applied before.

    Raises Refused: unknown session (404), deleted session (410), another organization's or project's (403).
    """
    now = time.time()
    target = _target_project(batch, access)
    # end the reader's transaction: the writer's must see what is there now
    db.session.rollback()
    with writing() as connection:
        state = _load(connection, batch, access, target, now)
        last = state.apply(batch.records, batch.writer, batch.seq, batch.replay)
        change = state.save()
        if change is not None:
            changes.notify(connection, change)
    if change is not None:
        changes.committed(change)
    return Applied(last, state.created)


def _target_project(batch: Batch, access: Access) -> int | None:
    """The project of a session that the batch may make, found (or made) before the transaction."""
    first = batch.records[0] if batch.records else None
    if first is None or first["type"] != "session":
        return None
    project = project_named(access, first.get("project"))
    if project is None:
        raise Refused(403, "forbidden", "this key may not write into that project")
    return project


def _load(connection: Connection, batch: Batch, access: Access, target: int | None, now: float) -> SessionState:
    row = _select(connection, batch.session)
    created = False
    if row is None:
        deleted = select(DeletedSession.id).where(DeletedSession.id == batch.session)
        if connection.execute(deleted).first() is not None:
            raise Refused(410, "deleted_session", "this session was deleted")
        if target is None:
            raise Refused(404, "unknown_session", f"there is no session {batch.session}")
        created = _insert(connection, batch, target, now)
        row = _select(connection, batch.session)
    assert row is not None
    organization = row.pop("organization_id")
    if organization not in access.writable or access.only_project not in (None, row["project_id"]):
        raise Refused(403, "forbidden", "this session belongs to another organization or project")
    return SessionState(connection, row, now, created)


_FIND = (
    select(Session.__table__, Project.organization_id)
    .join(Project, Project.id == Session.project_id)
    .where(Session.id == bindparam("session_id"))
    .with_for_update(of=Session.__table__)
)


def _select(connection: Connection, session_id: str) -> dict[str, Any] | None:
    """The session's row and its organization, locked against other writers until the transaction ends."""
    row = connection.execute(_FIND, {"session_id": session_id}).mappings().first()
    return None if row is None else dict(row)


def _insert(connection: Connection, batch: Batch, project: int, now: float) -> bool:
    """Make the session. False: another writer of it was faster."""
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    created_at = batch.records[0].get("created_at") or now
    values = {
        "id": batch.session,
        "project_id": project,
        "created_at": created_at,
        "updated_at": now,
        # what is replayed is not heard: it was made some time ago
        "heard_at": created_at if batch.replay else now,
        "status": "cancelled" if batch.replay else "active",
        "reason": "silent" if batch.replay else None,
        "ended_at": created_at if batch.replay else None,
        "protocol": batch.protocol,
        **SessionState.empty(),
        "tag": f"session {batch.session[:4]}",
    }
    statement = insert(Session.__table__).values(**values).on_conflict_do_nothing(index_elements=["id"])
    return connection.execute(statement).rowcount == 1
