"""Who asks, and what they may touch: a program by its API key, or a signed-in person."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flask import Request
from flask_login import current_user
from sqlalchemy import bindparam, select

from ..db.models import ApiKey, Membership, Project, User
from ..extensions import db

WRITERS = ("owner", "member")


@dataclass(frozen=True)
class Access:
    """The organizations that may be read and written, and where a session goes that names no project.

    `only_project` is set for a key that is limited to its project.
    """

    readable: frozenset[int]
    writable: frozenset[int]
    organization_id: int | None = None
    default_project: int | None = None
    only_project: int | None = None
    user_id: int | None = None

    def may_read(self, project: Project) -> bool:
        return project.organization_id in self.readable and self.only_project in (None, project.id)

    def may_write(self, project: Project) -> bool:
        return project.organization_id in self.writable and self.only_project in (None, project.id)


def hash_secret(secret: str) -> str:
    """SHA-256, without salt: the secrets are random and long, and are looked up by their hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def key_of(request: Request) -> str | None:
    """The API key of a request: `Authorization: KEY` or `Authorization: Bearer KEY`."""
    header = request.headers.get("Authorization", "").strip()
    scheme, _, rest = header.partition(" ")
    return (rest.strip() if scheme.lower() == "bearer" else header) or None


def access_of(request: Request) -> Access | None:
    """What the request's key or signed-in person may do; None for a wrong key or nobody."""
    key = key_of(request)
    if key is not None:
        return _access_of_key(key)
    if current_user.is_authenticated:
        return access_of_user(current_user)
    return None


def access_of_user(user: User) -> Access:
    memberships = db.session.scalars(select(Membership).where(Membership.user_id == user.id)).all()
    return Access(
        readable=frozenset(membership.organization_id for membership in memberships),
        writable=frozenset(membership.organization_id for membership in memberships if membership.role in WRITERS),
        user_id=user.id,
    )


_KEY = select(ApiKey.organization_id, ApiKey.project_id, ApiKey.limited, ApiKey.user_id).where(
    ApiKey.key_hash == bindparam("key_hash"), ApiKey.revoked_at.is_(None)
)


def _access_of_key(key: str) -> Access | None:
    row = db.session.execute(_KEY, {"key_hash": hash_secret(key)}).first()
    if row is None:
        return None
    organizations = frozenset((row.organization_id,))
    return Access(
        readable=organizations,
        writable=organizations,
        organization_id=row.organization_id,
        default_project=row.project_id,
        only_project=row.project_id if row.limited else None,
        user_id=row.user_id,
    )
