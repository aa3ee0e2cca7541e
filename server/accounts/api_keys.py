"""Create API keys. Only their hashes are stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from flask import current_app
from sqlalchemy import Connection, insert, select

from ..db.engine import writing
from ..db.models import ApiKey, Project, User
from ..extensions import db
from .permissions import hash_secret


def new_key() -> str:
    """A random API key. The prefix makes it recognizable, for people and for secret scanners."""
    return "lw_" + secrets.token_hex(20)


def store_key(
    connection: Connection,
    key: str,
    organization_id: int,
    project_id: int,
    name: str,
    user_id: int | None = None,
    nonce: str | None = None,
) -> None:
    """Store a key's hash. `user_id` and `nonce` are given for a personal key."""
    connection.execute(
        insert(ApiKey.__table__).values(
            organization_id=organization_id,
            project_id=project_id,
            user_id=user_id,
            name=name,
            key_hash=hash_secret(key),
            nonce=nonce,
            limited=False,
            created_at=time.time(),
        )
    )


def personal_key(user: User, project: Project) -> str:
    """A user's own key for a project, created on the first call.

    The quickstart page shows it again on each visit although only its hash is stored: the key is derived from the
    server's secret and a nonce in its row (HMAC-SHA-256), so it cannot be computed from the database alone.
    """
    query = (
        select(ApiKey)
        .where(ApiKey.user_id == user.id, ApiKey.project_id == project.id, ApiKey.nonce.is_not(None))
        .where(ApiKey.revoked_at.is_(None))
    )
    for row in db.session.scalars(query):
        key = _derive(str(row.nonce))
        if hmac.compare_digest(hash_secret(key), row.key_hash):
            return key
    nonce = secrets.token_hex(16)
    key = _derive(nonce)
    user_id, project_id, organization_id = user.id, project.id, project.organization_id
    db.session.rollback()
    with writing() as connection:
        store_key(connection, key, organization_id, project_id, "quickstart", user_id, nonce)
    return key


def _derive(nonce: str) -> str:
    """The personal key that belongs to a nonce."""
    secret = str(current_app.config["SECRET_KEY"]).encode()
    return "lw_" + hmac.new(secret, f"personal key {nonce}".encode(), hashlib.sha256).hexdigest()[:40]
