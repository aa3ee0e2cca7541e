"""People who are signed in, with roles."""

from __future__ import annotations

import secrets

import requests
from losswise_server.accounts.passwords import hash_password
from losswise_server.db.models import Membership, Organization, User
from sqlalchemy import select

from tests.support.database.tables import adding
from tests.support.server import Server


def person(server: Server, role: str | None) -> requests.Session:
    """A browser-like session of a new person, in the admin's organization with a role, or in another one."""
    email = f"{secrets.token_hex(6)}@example.com"
    with adding(server) as (add, connection):
        user = add(User, email=email, name="", password_hash=hash_password("secret"), created_at=0.0)
        if role is None:
            organization = add(Organization, name=email, created_at=0.0)
        else:
            organization = connection.execute(select(Membership.__table__.c.organization_id).limit(1)).scalar()
        add(Membership, user_id=user, organization_id=organization, role=role or "owner")
    browser = requests.Session()
    answer = browser.post(server.url + "/login", data={"email": email, "password": "secret"}, timeout=30)
    assert answer.status_code == 200
    return browser
