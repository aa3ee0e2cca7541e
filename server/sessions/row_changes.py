"""What has changed of a session that may be large, for pages that have it as it was before."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from ..db.json_depth import shallow
from ..db.many_rows import is_among
from ..db.models import Session
from ..points.statistics import as_list
from . import listing

# A session with at most this many statistics, and this much of JSON in its params and values, is read whole.
FEW_STATISTICS = 20
FEW_BYTES = 2_000
LABELS = ("title", "kind", "xlabel", "ylabel")


class Parts(NamedTuple):
    """What has changed, besides what is small in any session.

    Attributes:
        graphs: the numbers of the graphs with new points.
        described: the numbers of those that are new, or have other labels.
        fields: which of "params" and "values".
    """

    graphs: Collection[int]
    described: Collection[int]
    fields: Collection[str]


class Read(NamedTuple):
    """A session as the list shows it: whole, or what has changed."""

    body: dict[str, Any]
    is_whole: bool


def read(connection: Connection, session_id: str, parts: Parts) -> Read | None:
    """The session whole if it is small, otherwise what has changed; None if there is no such session.

    What has changed is what is small in any session, the fields that have changed, and in "graphs" those that have, by
    id: "stats", by name, as lists (statistics.as_list), and the labels of those in `parts.described`.
    """
    row = connection.execute(listing.row_query(Session.__table__.c.id == session_id)).first()
    if row is None:
        return None
    fields = {"params": shallow(row.params), "values": shallow(row.values)}
    # a graph whose points were all deleted counts, too
    statistics = sum(max(1, len(stats)) for stats in row.graph_stats.values())
    if statistics <= FEW_STATISTICS and len(msgspec.json.encode(fields)) <= FEW_BYTES:
        whole = listing.read_rows(connection, [row.key])
        return Read(whole[0], True)
    body = listing.scalars(row, listing.failures(connection, [row]).get(row.key))
    body |= {name: fields[name] for name in parts.fields}
    body["graphs"] = _graphs(connection, row, parts)
    return Read(body, False)


def _graphs(connection: Connection, row: Any, parts: Parts) -> dict[str, Any]:
    numbers = sorted({*parts.graphs, *parts.described})
    if not numbers:
        return {}
    session_key, number, *_ = listing.graph_columns
    query = select(*listing.graph_columns).where(session_key == row.key, is_among(connection, number, numbers))
    graphs: dict[str, Any] = {}
    for graph in connection.execute(query.order_by(number)).all():
        stats = row.graph_stats.get(str(graph.number), {})
        graphs[graph.id] = {"stats": {name: as_list(stat) for name, stat in stats.items()}}
        if graph.number in parts.described:
            graphs[graph.id] |= {name: getattr(graph, name) for name in LABELS}
    return graphs
