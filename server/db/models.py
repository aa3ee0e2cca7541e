"""The tables.

Times are unix seconds. A session has an `id`, 20 hex digits that the client generates, and a `key`, a small integer
under which everything that belongs to it is stored. Every unique key of such a table contains the session's key, so
that a distributed PostgreSQL can shard by it. Points have no unique and no foreign keys: two foreign keys would cost
two thirds of COPY's speed.
"""

from __future__ import annotations

import time

from flask_login import UserMixin
from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import db

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
# keeps the order of names as they were written, which JSONB does not
Ordered = JSON(none_as_null=True)
Big = BigInteger()
Id = String(20)


class User(UserMixin, db.Model):  # type: ignore[name-defined]
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str | None] = mapped_column(String(400))
    created_at: Mapped[float] = mapped_column(Float(53), default=time.time)
    memberships: Mapped[list[Membership]] = relationship(back_populates="user")

    @property
    def initials(self) -> str:
        words = (self.name or self.email.partition("@")[0]).replace(".", " ").split()
        return "".join(word[0] for word in words[:2]).upper() or "?"


class Organization(db.Model):  # type: ignore[name-defined]
    __tablename__ = "organizations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[float] = mapped_column(Float(53), default=time.time)


class Membership(db.Model):  # type: ignore[name-defined]
    """A user's place in an organization; `role` is owner, member or viewer."""

    __tablename__ = "memberships"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), default="member")
    user: Mapped[User] = relationship(back_populates="memberships")
    organization: Mapped[Organization] = relationship()


class Project(db.Model):  # type: ignore[name-defined]
    """A project; `best` is the statistic that the list of projects shows of it, None for the usual one."""

    __tablename__ = "projects"
    __table_args__ = (Unique("organization_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="", server_default="")
    best: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float(53), default=time.time)
    organization: Mapped[Organization] = relationship()


class ApiKey(db.Model):  # type: ignore[name-defined]
    """An API key. Only its hash is stored.

    Sessions go to the project `project_id` unless they name another one of the organization; a `limited` key can write
    to no other. A key with a `nonce` is a user's own: see accounts.api_keys.personal_key.
    """

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(200), default="")
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    nonce: Mapped[str | None] = mapped_column(String(32))
    limited: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float] = mapped_column(Float(53), default=time.time)
    revoked_at: Mapped[float | None] = mapped_column(Float(53))


class SignInLink(db.Model):  # type: ignore[name-defined]
    """A link that signs a user in once. Only the hash of its token is stored."""

    __tablename__ = "sign_in_links"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[float] = mapped_column(Float(53))
    used_at: Mapped[float | None] = mapped_column(Float(53))


class Session(db.Model):  # type: ignore[name-defined]
    """A training session, with all that the session table shows, so that the table is one query on one table.

    Attributes:
        tag, own_tag: the name that is shown; the script's own, if people have given the session another one.
        tags, tag_edits: the tags that are shown; what people have changed of the script's, see sessions.labels.
        note, note_version: what people have written about it; raised by each change of the note.
        archived_at, deleted_at: when people have archived it, or put it into the bin; None: they have not.
        graph_stats: {graph number: {name: statistics}}, see points.statistics.
        stats: the same by name, which the session table sorts by.
        last_x: the last step: the greatest x, or one less than `steps`.
        steps, steps_at: the number of steps done and when, as an integration tells; None: none does.
        pace: [time, x] samples of the last five minutes, for the estimated completion.
        next_sequence: the sequence number of the next point, counted from 0 in order of arrival.
        refused: how many points and other things were not stored, see sessions.refusals.
        marked: the least sequence number that a point after the newest mark can have; None before the first mark.
        rewinds: the remembered ones, see ingest.rewinds.Rewind.
        kept: {writer: ingest.rewinds.Kept}: what stays of the writers that rewinds name.
        summary_states: {graph number: points.summaries.SummaryState}.
        end_status, end_reason, end_at, end_last_seen_at: what the writers that have ended report, see
            sessions.status.Ending. It becomes the session's status once the other writers are stale.
        version: raised by each change, so that pages notice missed events.
        change: the number of the latest change of what the session table shows, see sessions.change_numbers.
        git_commit, git_branch, host, user_name: of its metadata, see sessions.origin: those may be megabytes.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_project", "project_id", "key"),
        Index("ix_sessions_active", "status", "last_seen_at"),
        Index("ix_sessions_deleted", "deleted_at"),
        Index("ix_sessions_change", "project_id", "change"),
        Index("ix_sessions_overview", "project_id", "archived_at", "deleted_at", "status", "updated_at"),
        # never reuse the key of a deleted session: rows of it may not be purged yet
        {"sqlite_autoincrement": True},
    )

    key: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(Id, unique=True)
    project_id: Mapped[int]
    tag: Mapped[str] = mapped_column(Text, default="")
    own_tag: Mapped[str | None] = mapped_column(Text)
    group: Mapped[str | None] = mapped_column("group_name", Text)
    tags: Mapped[list] = mapped_column(Json, default=list)
    tag_edits: Mapped[dict] = mapped_column(Json, default=dict, server_default="{}")
    note: Mapped[str] = mapped_column(Text, default="", server_default="")
    note_version: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    starred: Mapped[bool] = mapped_column(default=False, server_default="0")
    archived_at: Mapped[float | None] = mapped_column(Float(53))
    deleted_at: Mapped[float | None] = mapped_column(Float(53))
    params: Mapped[dict] = mapped_column(Ordered, default=dict)
    values: Mapped[dict] = mapped_column(Ordered, default=dict)
    search: Mapped[str] = mapped_column(Text, default="")
    max_iter: Mapped[int | None] = mapped_column(Big)
    created_at: Mapped[float] = mapped_column(Float(53))
    updated_at: Mapped[float] = mapped_column(Float(53))
    last_seen_at: Mapped[float] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    status: Mapped[str] = mapped_column(String(10), default="active")
    reason: Mapped[str | None] = mapped_column(Text)
    end_status: Mapped[str | None] = mapped_column(String(10))
    end_reason: Mapped[str | None] = mapped_column(Text)
    end_at: Mapped[float | None] = mapped_column(Float(53))
    end_last_seen_at: Mapped[float | None] = mapped_column(Float(53))
    dropped: Mapped[int] = mapped_column(Big, default=0)
    refused: Mapped[int] = mapped_column(Big, default=0, server_default="0")
    points: Mapped[int] = mapped_column(Big, default=0)
    next_sequence: Mapped[int] = mapped_column(Big, default=0)
    marked: Mapped[int | None] = mapped_column(Big)
    last_x: Mapped[int | None] = mapped_column(Big)
    steps: Mapped[int | None] = mapped_column(Big)
    steps_at: Mapped[float | None] = mapped_column(Float(53))
    eta: Mapped[float | None] = mapped_column(Float(53))
    pace: Mapped[list] = mapped_column(Json, default=list)
    stats: Mapped[dict] = mapped_column(Json, default=dict)
    graph_stats: Mapped[dict] = mapped_column(Ordered, default=dict)
    rewinds: Mapped[list] = mapped_column(Json, default=list)
    kept: Mapped[dict] = mapped_column(Json, default=dict)
    summary_states: Mapped[dict] = mapped_column(Json, default=dict)
    version: Mapped[int] = mapped_column(Big, default=0)
    change: Mapped[int] = mapped_column(Big, default=0, server_default="0")
    protocol: Mapped[int] = mapped_column(Integer, default=2)
    git_commit: Mapped[str | None] = mapped_column(Text)
    git_branch: Mapped[str | None] = mapped_column(Text)
    host: Mapped[str | None] = mapped_column(Text)
    user_name: Mapped[str | None] = mapped_column(Text)


class SessionMetadata(db.Model):  # type: ignore[name-defined]
    """Data of a session's own page that the session table does not show: a git diff may be a megabyte."""

    __tablename__ = "session_metadata"

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    git: Mapped[dict] = mapped_column(Ordered, default=dict)
    env: Mapped[dict] = mapped_column(Ordered, default=dict)
    info: Mapped[dict] = mapped_column(Ordered, default=dict)
    error: Mapped[dict | None] = mapped_column(Ordered)


class DeletedSession(db.Model):  # type: ignore[name-defined]
    """The id of a deleted session, so that a client that still writes it gets 410 instead of creating it again."""

    __tablename__ = "deleted_sessions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    deleted_at: Mapped[float] = mapped_column(Float(53), default=time.time)


class Writer(db.Model):  # type: ignore[name-defined]
    """A process that writes a session: the number of its last applied record, when it was last seen, how it ended.

    Attributes:
        number: of the writer within its session, counted from 1; 0: its points cannot be told from those of others.
        first_sequence: the least sequence number that a point of it can have.
        trains: whether it has sent a mark, or a rewind to a checkpoint.
    """

    __tablename__ = "writers"

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, default=0)
    first_sequence: Mapped[int] = mapped_column(Big, default=0)
    trains: Mapped[bool] = mapped_column(default=False)
    last_seq: Mapped[int] = mapped_column(Big, default=0)
    started_at: Mapped[float] = mapped_column(Float(53))
    last_seen_at: Mapped[float] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    status: Mapped[str | None] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(Text)


class Mark(db.Model):  # type: ignore[name-defined]
    """A place in the records of a writer that a rewind can name: the state of a checkpoint.

    Attributes:
        writer: the writer's number.
        number: of the mark, as the writer counts them.
        record: number of the record.
        sequence: the least sequence number that a point of the writer after the mark can have.
        t: unix seconds, if points before the mark may have followed it; None if none have.
    """

    __tablename__ = "marks"

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    writer: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    record: Mapped[int] = mapped_column(Big)
    sequence: Mapped[int] = mapped_column(Big)
    t: Mapped[float | None] = mapped_column(Float(53))


class Refusal(db.Model):  # type: ignore[name-defined]
    """Things of one kind that a writer recorded and that were not stored for one reason: see sessions.refusals.

    Attributes:
        writer: its id; empty for v1 clients.
        ident: a digest of `what` and `reason`.
        total, sent: how many points or other things so far, and how many of them were sent again later and stored.
        t: when the first of them was refused.
    """

    __tablename__ = "refusals"

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    writer: Mapped[str] = mapped_column(Id, primary_key=True)
    ident: Mapped[str] = mapped_column(Id, primary_key=True)
    what: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    total: Mapped[int] = mapped_column(Big)
    sent: Mapped[int] = mapped_column(Big, default=0)
    t: Mapped[float] = mapped_column(Float(53))


class Graph(db.Model):  # type: ignore[name-defined]
    """A graph of a session.

    Attributes:
        names: of its metrics, in order of arrival.
        name_sets: the sets of names that its points have values for, each a list of indices into `names`.
        arrivals: where its points since the latest marks are, see points.arrivals.
    """

    __tablename__ = "graphs"
    __table_args__ = (Index("ix_graphs_id", "id"),)

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Id)
    title: Mapped[str] = mapped_column(Text, default="")
    xlabel: Mapped[str] = mapped_column(Text, default="")
    ylabel: Mapped[str] = mapped_column(Text, default="")
    kind: Mapped[str | None] = mapped_column(String(3))
    names: Mapped[list] = mapped_column(Json, default=list)
    name_sets: Mapped[list] = mapped_column(Json, default=list)
    arrivals: Mapped[list] = mapped_column(Json, default=list)


# One row per point: x, time, and its values packed as little-endian float64 (points.columns.MISSING if there is none).
# `name_set` is an index into the graph's `name_sets`. `sequence` numbers a session's points in order of arrival.
# `writer` is the number of their writer; 0 or NULL if it is unknown. PostgreSQL stores it where most rows are padded.
points = db.Table(
    "points",
    db.Column("x", BigInteger, nullable=False),
    db.Column("sequence", BigInteger, nullable=False),
    db.Column("t", Float(53), nullable=False),
    db.Column("session_key", Integer, nullable=False),
    db.Column("graph", Integer, nullable=False),
    db.Column("name_set", Integer, nullable=False),
    db.Column("y", LargeBinary, nullable=False),
    db.Column("writer", SmallInteger),
    Index("ix_points", "session_key", "graph", "x"),
)

# Buckets of 16**level values of x, of one name of a graph. A row holds up to 64 neighbouring ones, packed
# (points.buckets.BUCKET). `name` is an index into the graph's `names`.
summaries = db.Table(
    "summaries",
    db.Column("session_key", Integer, primary_key=True, autoincrement=False),
    db.Column("graph", Integer, primary_key=True, autoincrement=False),
    db.Column("level", Integer, primary_key=True, autoincrement=False),
    db.Column("page", BigInteger, primary_key=True, autoincrement=False),
    db.Column("name", Integer, primary_key=True, autoincrement=False),
    db.Column("buckets", LargeBinary, nullable=False),
)


class TextEntry(db.Model):  # type: ignore[name-defined]
    __tablename__ = "texts"
    __table_args__ = (Index("ix_texts", "session_key", "name"),)

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    x: Mapped[int | None] = mapped_column(Big)
    text: Mapped[str] = mapped_column(Text)


class ImageSequence(db.Model):  # type: ignore[name-defined]
    """An image sequence of a v1 client, which refers to it by its id."""

    __tablename__ = "image_sequences"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text, default="")
    x: Mapped[int] = mapped_column(Big)


class Image(db.Model):  # type: ignore[name-defined]
    __tablename__ = "images"

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[str] = mapped_column(Text)
    x: Mapped[int] = mapped_column(Big)
    image_id: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int | None]
    height: Mapped[int | None]
    outputs: Mapped[dict] = mapped_column(Ordered, default=dict)
    metrics: Mapped[dict] = mapped_column(Ordered, default=dict)


class Blob(db.Model):  # type: ignore[name-defined]
    """Bytes by their hash. In a table, so that any worker on any host can answer."""

    __tablename__ = "blobs"

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class PendingPurge(db.Model):  # type: ignore[name-defined]
    """The key of a deleted session whose rows are not all deleted yet: see maintenance.purge."""

    __tablename__ = "pending_purges"

    session_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
