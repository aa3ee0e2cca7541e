"""points packed as float64, summaries a page a row

Points that are there stay. They count as loose; catchup.py seals them afterwards.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
AT_ONCE = 10_000

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seals", JSON, nullable=False, server_default="{}"))
    with op.batch_alter_table("graphs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("names", JSON, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("forms", JSON, nullable=False, server_default="[]"))
    op.drop_table("summaries")
    op.create_table(
        "summaries",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("graph", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("page", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("buckets", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("session_key", "graph", "level", "page", "name"),
    )
    op.create_table(
        "packed_points",
        sa.Column("x", sa.BigInteger(), nullable=False),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.Column("t", sa.Float(precision=53), nullable=False),
        sa.Column("session_key", sa.Integer(), nullable=False),
        sa.Column("graph", sa.Integer(), nullable=False),
        sa.Column("form", sa.Integer(), nullable=False),
        sa.Column("y", sa.LargeBinary(), nullable=False),
    )
    _pack()
    op.drop_table("points")
    op.rename_table("packed_points", "points")
    op.create_index("ix_points", "points", ["session_key", "graph", "x"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        # they are read and written whole, and numbers hardly compress
        op.execute("ALTER TABLE summaries ALTER COLUMN buckets SET STORAGE EXTERNAL")


def _pack() -> None:
    connection = op.get_bind()
    query = sa.text(
        "SELECT session_key, graph, x, arrival, t, CAST(y AS TEXT) FROM points ORDER BY session_key, graph, x, arrival"
    )
    rows = connection.execute(query.execution_options(yield_per=AT_ONCE))
    seals: dict[int, dict[str, list[int | None]]] = {}
    for (session_key, graph), points in groupby(rows, key=lambda row: (row[0], row[1])):
        seals.setdefault(session_key, {})[str(graph)] = _pack_graph(connection, session_key, graph, points)
    update = sa.text("UPDATE sessions SET seals = :seals WHERE key = :key")
    update = update.bindparams(sa.bindparam("seals", type_=JSON))
    for session_key, seal in seals.items():
        connection.execute(update, {"seals": seal, "key": session_key})


def _pack_graph(connection: sa.Connection, session_key: int, graph: int, points: Iterable[Any]) -> list[int | None]:
    """Copy a graph's points; returns what is sealed of it: nothing."""
    names: list[str] = []
    forms: list[list[int]] = []
    packed: list[dict[str, Any]] = []
    count = 0
    for _, _, x, arrival, t, text in points:
        count += 1
        values = json.loads(text)
        names += [name for name in values if name not in names]
        form = [names.index(name) for name in values]
        if form not in forms:
            forms.append(form)
        y = struct.pack(f"<{len(values)}d", *(float(value) for value in values.values()))
        fields = {"x": x, "arrival": arrival, "t": t, "session_key": session_key, "graph": graph}
        packed.append({**fields, "form": forms.index(form), "y": y})
        if len(packed) == AT_ONCE:
            _store(connection, packed)
            packed = []
    _store(connection, packed)
    update = sa.text("UPDATE graphs SET names = :names, forms = :forms WHERE session_key = :key AND number = :number")
    update = update.bindparams(sa.bindparam("names", type_=JSON), sa.bindparam("forms", type_=JSON))
    connection.execute(update, {"names": names, "forms": forms, "key": session_key, "number": graph})
    return [None, count, 0, 0]


def _store(connection: sa.Connection, packed: list[dict[str, Any]]) -> None:
    if packed:
        connection.execute(
            sa.text(
                "INSERT INTO packed_points (x, arrival, t, session_key, graph, form, y) "
                "VALUES (:x, :arrival, :t, :session_key, :graph, :form, :y)"
            ),
            packed,
        )


def downgrade() -> None:
    raise NotImplementedError("points cannot be unpacked; restore a backup made before")
