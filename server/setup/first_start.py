"""Create the first admin, organization, project and API key, so that a new server works without any set-up."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from ..accounts.api_keys import new_key, store_key
from ..accounts.passwords import hash_password
from ..accounts.permissions import hash_secret
from ..accounts.projects import insert_project
from ..accounts.sign_in_links import new_sign_in_token
from ..db.engine import SETUP_LOCK, insert_id, wait_for_advisory_lock, writing
from ..db.models import ApiKey, Membership, Organization, Project, User
from ..sessions import change_numbers

ADMIN_EMAIL = "admin@localhost"
ORGANIZATION = "My team"
PROJECT = "default"


@dataclass(frozen=True)
class FirstStart:
    """Secrets that were created and must be shown to the administrator once.

    None for one that came from the environment or existed already.
    """

    sign_in_token: str | None = None
    api_key: str | None = None


def prepare(environ: Mapping[str, str] = os.environ) -> FirstStart:
    """Create what is missing in the database, and settle how changes are numbered.

    LW_ADMIN_EMAIL, LW_ADMIN_PASSWORD and LW_API_KEY are applied at every start: afterwards that user exists and has
    that password, and that key is valid.
    """
    email, password = environ.get("LW_ADMIN_EMAIL"), environ.get("LW_ADMIN_PASSWORD")
    given_key = environ.get("LW_API_KEY")
    password_hash = hash_password(password) if password else None
    with writing() as connection:
        wait_for_advisory_lock(connection, SETUP_LOCK)
        change_numbers.settle(connection)
        first = connection.execute(select(User.id).limit(1)).first() is None
        organization_id, project_id = _organization_and_project(connection)
        token = key = None
        if first or email:
            user_id = _ensure_admin(connection, email or ADMIN_EMAIL, password_hash, organization_id)
            if first and not password:
                token = new_sign_in_token(connection, user_id)
        if given_key:
            _ensure_key(connection, given_key, organization_id, project_id)
        elif first:
            key = new_key()
            store_key(connection, key, organization_id, project_id, "first key")
    return FirstStart(token, key)


def _organization_and_project(connection: Connection) -> tuple[int, int]:
    table = Project.__table__
    row = connection.execute(select(table.c.organization_id, table.c.id).order_by(table.c.id).limit(1)).first()
    if row is not None:
        return int(row[0]), int(row[1])
    organization_id = insert_id(
        connection, insert(Organization.__table__).values(name=ORGANIZATION, created_at=time.time())
    )
    return organization_id, insert_project(connection, organization_id, PROJECT)


def _ensure_admin(connection: Connection, email: str, password_hash: str | None, organization_id: int) -> int:
    table = User.__table__
    user_id = connection.execute(select(table.c.id).where(table.c.email == email)).scalar()
    if user_id is not None:
        if password_hash:
            connection.execute(update(table).where(table.c.id == user_id).values(password_hash=password_hash))
        return int(user_id)
    name = email.partition("@")[0]
    values = {"email": email, "name": name, "password_hash": password_hash, "created_at": time.time()}
    user_id = insert_id(connection, insert(table).values(**values))
    connection.execute(
        insert(Membership.__table__).values(user_id=user_id, organization_id=organization_id, role="owner")
    )
    return user_id


def _ensure_key(connection: Connection, key: str, organization_id: int, project_id: int) -> None:
    table = ApiKey.__table__
    known = connection.execute(select(table.c.id).where(table.c.key_hash == hash_secret(key))).first()
    if known is None:
        store_key(connection, key, organization_id, project_id, "LW_API_KEY")
