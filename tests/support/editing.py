"""Edit sessions through the API, as the dashboard does."""

from __future__ import annotations

import secrets
from typing import Any

import requests
from losswise_server.accounts.permissions import hash_secret
from losswise_server.db.models import ApiKey, Organization, Project
from sqlalchemy import select

from tests.support.database.tables import adding
from tests.support.server import Server


def post(server: Server, path: str, body: Any, key: str | None = None) -> requests.Response:
    return server.request("POST", f"/api/v2{path}", key=key, json=body)


def edit(server: Server, *sessions: str, key: str | None = None, **fields: Any) -> Any:
    """Edit these sessions; returns the response's JSON. It must succeed."""
    answer = post(server, "/sessions/edits", {"sessions": list(sessions), "edit": fields}, key)
    assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:500]}"
    return answer.json()


def undo(server: Server, token: str, key: str | None = None) -> Any:
    answer = server.request("POST", f"/api/v2/undo/{token}", key=key)
    assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:500]}"
    return answer.json()


def add_key(server: Server, project: str, *, organization: int | None = None, limited: bool = False) -> tuple[str, int]:
    """A key whose project is a new one of this name; returns it and the project's id.

    Args:
        organization: its id; None for a new one.
    """
    key = "lw_" + secrets.token_hex(20)
    with adding(server) as (add, _connection):
        owner = organization if organization is not None else add(Organization, name=project, created_at=0.0)
        id_ = add(Project, organization_id=owner, name=project, created_at=0.0)
        names = {"organization_id": owner, "project_id": id_, "name": project}
        add(ApiKey, **names, key_hash=hash_secret(key), limited=limited, created_at=0.0)
    return key, id_


def organization_of(server: Server, project: int) -> int:
    with adding(server) as (_add, connection):
        query = select(Project.__table__.c.organization_id).where(Project.__table__.c.id == project)
        return int(connection.execute(query).scalar_one())
