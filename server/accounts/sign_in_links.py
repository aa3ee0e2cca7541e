"""Sign-in links, which work once and expire. Only the hash of a link's token is stored."""

from __future__ import annotations

import secrets
import time

from sqlalchemy import Connection, insert, select, update

from ..db.engine import writing
from ..db.models import SignInLink
from .permissions import hash_secret

LINK_LIFETIME_S = 24 * 3600.0


def new_sign_in_token(connection: Connection, user_id: int) -> str:
    """A token for /sign-in/<token> that signs the user in once, within a day."""
    token = secrets.token_urlsafe(24)
    connection.execute(
        insert(SignInLink.__table__).values(
            token_hash=hash_secret(token), user_id=user_id, expires_at=time.time() + LINK_LIFETIME_S
        )
    )
    return token


def use_sign_in_token(token: str) -> int | None:
    """Use up the token. Returns the id of the user it signs in; None if it is unknown, used or expired."""
    table = SignInLink.__table__
    now = time.time()
    with writing() as connection:
        good = (table.c.token_hash == hash_secret(token)) & table.c.used_at.is_(None) & (table.c.expires_at > now)
        user_id = connection.execute(select(table.c.user_id).where(good)).scalar()
        used = connection.execute(update(table).where(good).values(used_at=now)).rowcount
    return int(user_id) if user_id is not None and used else None
