"""The permissions of a request: by its API key, or as the signed-in user."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flask import Request
from flask_login import current_user
from sqlalchemy import bindparam, select

from ..db.models import ApiKey, Membership, Project, User
from ..extensions import db

WRITING_ROLES = ("owner", "member")


@dataclass(frozen=True)
class Access:
    """The projects that a key or a user may read and write.

    Attributes:
        readable, writable: ids of organizations.
        organization_id, default_project: where a session goes that names no project; None for a signed-in user.
        only_project: the only project that a limited key may use; None for no such limit.
        user_id: the user that the key belongs to, or that is signed in; None for a key of an organization.
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
    """The SHA-256 of a key or token. No salt: secrets are long and random, and are looked up by their hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def key_of(request: Request) -> str | None:
    """The API key of a request, `Authorization: KEY` or `Authorization: Bearer KEY`; None if it has none."""
    header = request.headers.get("Authorization", "").strip()
    scheme, _, rest = header.partition(" ")
    return (rest.strip() if scheme.lower() == "bearer" else header) or None


def access_of(request: Request) -> Access | None:
    """The access of the request's key or signed-in user; None for an unknown key, or without either."""
    key = key_of(request)
    if key is not None:
        return _access_of_key(key)
    if current_user.is_authenticated:
        return access_of_user(current_user)
    return None


def access_of_user(user: User) -> Access:
    """The access that a user's memberships give."""
    memberships = db.session.scalars(select(Membership).where(Membership.user_id == user.id)).all()
    writing = [membership for membership in memberships if membership.role in WRITING_ROLES]
    return Access(
        readable=frozenset(membership.organization_id for membership in memberships),
        writable=frozenset(membership.organization_id for membership in writing),
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
