"""What a migration leaves to be done by the program: sealing the points of sessions that were there before."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from ..db.models import Session
from ..points import summaries
from ..points.store import place_of
from ..points.summaries import LOOSE_MOST, Seal


def seal_old_points(connection: Connection) -> None:
    """Seal every graph that has more loose points than one has in use."""
    for key in connection.execute(select(Session.key).order_by(Session.key)).scalars().all():
        seals = connection.execute(select(Session.seals).where(Session.key == key)).scalar_one()
        old = {number: Seal.load(value) for number, value in seals.items()}
        due = {number: known for number, known in old.items() if known.loose >= LOOSE_MOST}
        if not due:
            continue
        for number, known in due.items():
            sealed = summaries.seal(place_of(connection, key, int(number)), known)
            seals = {**seals, number: sealed.dump()}
        connection.execute(update(Session).where(Session.key == key).values(seals=seals))
