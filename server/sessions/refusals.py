"""What a session lacks although a script recorded it: the server rejected it, or the client set it aside.

A v2 client tells of it in the field `refused` of its batches, grouped by kind and reason. It gives each group's numbers
so far, not what has been added, so that telling it again changes nothing. The calls of v1 clients that fail are counted
by the server itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from losswise.protocol.limits import MAX_REFUSALS, MAX_REFUSED_REASON_LENGTH, MAX_REFUSED_WHAT_LENGTH

from ..db.engine import insert_or_update
from ..db.models import Refusal

MAX_SHOWN = 500
MAX_ENTRIES = 10_000  # of one batch that are looked at; a client has at most MAX_REFUSALS groups, and one for the rest
MAX_TOTAL = 10**12  # of a group: the sum for a session fits into 64 bits
# the kind and the reason under which a v1 session's failed calls are counted once it has too many others
OTHER_CALLS = ("other calls", "various reasons")

_table = Refusal.__table__


@dataclass(frozen=True)
class _Group:
    """Things of one kind that were not stored for one reason: how many so far, how many of them were sent later."""

    what: str
    reason: str
    total: int
    sent: int
    t: float

    @property
    def ident(self) -> str:
        return hashlib.blake2b(f"{self.what}\0{self.reason}".encode()).hexdigest()[:20]

    @property
    def left(self) -> int:
        return self.total - self.sent


def apply_refusals(
    connection: Connection, session_key: int, writer: str | None, refused: Any, now: float
) -> int | None:
    """Store what a batch tells.

    Args:
        writer: the id of the batch's writer. None: of a v1 client, whose numbers add to those that are stored.
        refused: a list of {"what", "reason", "total", "sent", "t"}; what makes no sense in it is ignored.
        now: unix seconds.

    Returns:
        How many more things are not stored; None if nothing is new. It is negative if some were sent again.
    """
    where = (_table.c.session_key == session_key) & (_table.c.writer == (writer or ""))
    rows = connection.execute(select(_table).where(where)).mappings()
    stored = {row["ident"]: _Group(*(row[name] for name in _Group.__dataclass_fields__)) for row in rows}
    known = dict(stored)
    for entry in refused[:MAX_ENTRIES] if isinstance(refused, list) else []:
        group = _read_group(entry, now)
        if group is None:
            continue
        if writer is None and group.ident not in known and len(known) >= MAX_REFUSALS:
            group = replace(group, what=OTHER_CALLS[0], reason=OTHER_CALLS[1])
        before = known.get(group.ident)
        if before is not None:
            total = min(before.total + group.total, MAX_TOTAL) if writer is None else max(before.total, group.total)
            group = replace(before, total=total, sent=min(max(before.sent, group.sent), total))
        elif len(known) > MAX_REFUSALS:
            continue
        known[group.ident] = group
    changed = {ident: group for ident, group in known.items() if group != stored.get(ident)}
    if not changed:
        return None
    statement = insert_or_update(connection, _table)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["session_key", "writer", "ident"],
            set_={name: statement.excluded[name] for name in ("total", "sent")},
        ),
        [
            {"session_key": session_key, "writer": writer or "", "ident": ident, **asdict(group)}
            for ident, group in changed.items()
        ],
    )
    return sum(group.left - (stored[ident].left if ident in stored else 0) for ident, group in changed.items())


def _read_group(entry: Any, now: float) -> _Group | None:
    """A group as a client tells it; None if it makes no sense."""
    if not isinstance(entry, Mapping):
        return None
    what, reason = str(entry.get("what") or ""), str(entry.get("reason") or "")
    total, sent, t = entry.get("total"), entry.get("sent", 0), entry.get("t")
    if (
        not what
        or type(total) is not int
        or type(sent) is not int
        or not 0 <= sent <= total
        or not 1 <= total <= MAX_TOTAL
    ):
        return None
    t = float(t) if isinstance(t, (int, float)) and 0 <= t <= now else now
    return _Group(what[:MAX_REFUSED_WHAT_LENGTH], reason[:MAX_REFUSED_REASON_LENGTH], total, sent, t)


def read_refusals(connection: Connection, session_key: int) -> list[dict[str, Any]]:
    """What is not stored, oldest first: `writer` (None for a v1 client), `what`, `reason`, `count` and `t`."""
    query = (
        select(_table)
        .where(_table.c.session_key == session_key, _table.c.total > _table.c.sent)
        .order_by(_table.c.t, _table.c.writer, _table.c.ident)
        .limit(MAX_SHOWN)
    )
    return [
        {
            "writer": row["writer"] or None,
            "what": row["what"],
            "reason": row["reason"],
            "count": row["total"] - row["sent"],
            "t": row["t"],
        }
        for row in connection.execute(query).mappings()
    ]
