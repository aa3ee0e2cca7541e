"""Apply a batch of records exactly once, in one transaction.

All writes of training data come through here: v2 batches, v1 calls translated to records, `losswise sync`, importers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from ..accounts.permissions import Access
from ..accounts.projects import project_named
from ..db.engine import insert_or_update, read_in_order, writing
from ..db.models import DeletedSession, Project, Session
from ..exceptions import ApiError
from ..extensions import db
from ..live import changes
from .graph_state import EarlyRewinds
from .schema import Batch, RewindRecord, SessionRecord
from .session_state import SessionState

REWIND_SLICE_S = 0.3  # of one transaction, about
MAX_REWIND_S = 3.0  # for which a request waits


class Applied(NamedTuple):
    """The result of a batch: the number of its writer's last record, and whether it created the session."""

    last: int
    created: bool


def apply(batch: Batch, access: Access, protocol: int = 2, now: float | None = None) -> Applied:
    """Apply the batch's records that were not applied before, in one transaction.

    Args:
        protocol: the version of the protocol that the client speaks; kept with a session that is created.
        now: unix seconds; None for the current time.

    Raises ApiError: unknown session (404), deleted session (410), another organization's or project's (403), records
        that cannot be applied (BadBatch, 422). None is applied then, but points that a rewind among them deletes may
        be gone already.
    """
    now = time.time() if now is None else now
    target = _target_project(batch, access)
    # end the reading transaction, which would not see what has been committed since it began
    db.session.rollback()
    early = EarlyRewinds()
    if any(isinstance(record, RewindRecord) for record in batch.records):
        _rewind_early(batch, access, now, early)
    with _transaction(batch, access, target, now, protocol) as state:
        state.graphs.early = early
        last = state.apply(batch)
    return Applied(last, state.created)


@contextmanager
def _transaction(
    batch: Batch, access: Access, target: int | None, now: float, protocol: int = 2
) -> Iterator[SessionState]:
    """The state of the batch's session in a transaction, at whose end it is saved and the change announced."""
    with writing() as connection:
        state = _load(connection, batch, access, target, now, protocol)
        yield state
        change = state.save()
        if change is not None:
            changes.notify(connection, change)
    # after the commit: whoever reads because of it must find what has changed
    if change is not None:
        changes.committed(change)


def _rewind_early(batch: Batch, access: Access, now: float, early: EarlyRewinds) -> None:
    """Delete what the batch's rewinds delete in short transactions before its own one, which others would wait for.

    The result is the same: these points are deleted in any case, also those that arrive in between.

    Raises:
        ApiError: with 429, if that takes long. The client sends the batch again, and the rest is deleted then.
    """
    deadline = time.monotonic() + MAX_REWIND_S
    while True:
        try:
            with _transaction(batch, access, None, now) as state:
                read_in_order(state.connection)
                state.graphs.early = early
                is_done = state.rewind_early(batch, time.monotonic() + REWIND_SLICE_S)
        except ApiError as error:
            if error.code != "unknown_session":
                raise
            is_done = True  # a new one
        if is_done:
            return
        # each request deletes something, however long it has looked for it
        if time.monotonic() > deadline and state.graphs.is_rewound:
            raise ApiError(429, "busy", "the server is deleting the points that were taken back; send this again")


def _target_project(batch: Batch, access: Access) -> int | None:
    """The id of the project for the session, if the batch begins with a session record; None otherwise.

    It is found, or created, before the transaction that applies the batch.
    """
    first = batch.records[0] if batch.records else None
    if not isinstance(first, SessionRecord):
        return None
    project = project_named(access, first.project)
    if project is None:
        raise ApiError(403, "forbidden", "this key may not write into that project")
    return project


def _load(
    connection: Connection, batch: Batch, access: Access, target: int | None, now: float, protocol: int
) -> SessionState:
    row = _select(connection, batch.session)
    created = False
    if row is None:
        deleted = select(DeletedSession.id).where(DeletedSession.id == batch.session)
        if connection.execute(deleted).first() is not None:
            raise ApiError(410, "deleted_session", "this session was deleted")
        if target is None:
            raise ApiError(404, "unknown_session", f"there is no session {batch.session}")
        created = _insert(connection, batch, target, now, protocol)
        row = _select(connection, batch.session)  # locked, whichever writer created it
    assert row is not None
    organization = row.pop("organization_id")
    if organization not in access.writable or access.only_project not in (None, row["project_id"]):
        raise ApiError(403, "forbidden", "this session belongs to another organization or project")
    return SessionState(connection, row, now, created)


# No join: PostgreSQL would compare a session that was moved while this waited for its lock with its project before.
_ORGANIZATION = select(Project.organization_id).where(Project.id == Session.project_id).scalar_subquery()
_FIND = (
    select(Session.__table__, _ORGANIZATION.label("organization_id"))
    .where(Session.id == bindparam("session_id"))
    .with_for_update(of=Session.__table__)
)


def _select(connection: Connection, session_id: str) -> dict[str, Any] | None:
    """The session's row and its organization, locked until the transaction ends; None if there is no session."""
    row = connection.execute(_FIND, {"session_id": session_id}).mappings().first()
    return None if row is None else dict(row)


def _insert(connection: Connection, batch: Batch, project: int, now: float, protocol: int) -> bool:
    """Create the session. False if another writer has just created it."""
    first = batch.records[0]
    created_at = first.created_at if isinstance(first, SessionRecord) and first.created_at else now
    values = {
        "id": batch.session,
        "project_id": project,
        "created_at": created_at,
        "updated_at": now,
        # a replayed session is silent until its records say otherwise: it was recorded some time ago
        "last_seen_at": created_at if batch.replay else now,
        "status": "cancelled" if batch.replay else "active",
        "reason": "silent" if batch.replay else None,
        "ended_at": created_at if batch.replay else None,
        "protocol": protocol,
        **SessionState.empty(),
        "tag": f"session {batch.session[:4]}",
    }
    statement = (
        insert_or_update(connection, Session.__table__).values(**values).on_conflict_do_nothing(index_elements=["id"])
    )
    return connection.execute(statement).rowcount == 1
