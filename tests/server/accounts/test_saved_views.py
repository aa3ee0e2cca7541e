"""Saved views in the database: deleted ones are purged after a day, and a name is there once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from losswise_server.accounts import views
from losswise_server.accounts.views import (
    DELETED_KEPT_S,
    Viewer,
    change_view,
    create_view,
    delete_view,
    find_view,
    forget_views,
    restore_view,
    set_default,
)
from losswise_server.db.engine import reading, writing
from losswise_server.db.view_models import DefaultView
from losswise_server.exceptions import ApiError
from sqlalchemy import select

VIEWER = Viewer(project_id=1_000, user_id=7, may_write=True)


def create(name: str, shared: bool = False, viewer: Viewer = VIEWER) -> str:
    with writing() as connection:
        return create_view(connection, viewer, name, shared, "?q=x")


def test_deleted_views_are_purged_after_a_day(app: Flask) -> None:
    old, kept = create("old"), create("kept")
    now = time.time()
    with writing() as connection:
        set_default(connection, VIEWER, False, old)
        delete_view(connection, old, now)
    assert forget_views(now + DELETED_KEPT_S - 1) == 0
    assert forget_views(now + DELETED_KEPT_S + 1) == 1
    with reading() as connection:
        assert find_view(connection, old, deleted=True) is None
        assert find_view(connection, kept) is not None
        assert connection.execute(select(DefaultView.view_id).where(DefaultView.view_id == old)).first() is None


@pytest.mark.parametrize("shared", [False, True])
def test_requests_at_the_same_time_make_one_view_of_a_name(
    app: Flask, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """The second looks before the first has committed, and finds the name free."""
    project = Viewer(project_id=2_000 + shared, user_id=7, may_write=True)
    first, other, deleted = (create(name, shared, project) for name in ("Ünder", "other", "gone"))
    with writing() as connection:
        delete_view(connection, deleted, time.time())
        connection.execute(
            views._views.update().where(views._views.c.id == deleted).values(name="ünder", name_key="ünder")
        )
    look = views._require_free

    def late(write: Callable[[Any], Any]) -> ApiError:
        looks: list[int] = []

        def require_free(*args: Any) -> None:
            looks.append(1)
            if len(looks) > 1:
                look(*args)

        monkeypatch.setattr(views, "_require_free", require_free)
        with pytest.raises(ApiError) as refused, writing() as connection:
            write(connection)
        monkeypatch.undo()
        return refused.value

    with reading() as connection:
        renamed, gone = find_view(connection, other), find_view(connection, deleted, deleted=True)
    assert renamed is not None
    assert gone is not None
    for write in (
        lambda connection: create_view(connection, project, "ÜNDER", shared, ""),
        lambda connection: change_view(connection, project, renamed, 1, "ünder", None),
        lambda connection: restore_view(connection, project, gone),
    ):
        error = late(write)
        assert (error.status, error.code, error.details) == (409, "name_taken", {"view": first})
    create("under", shared, Viewer(project_id=2_002, user_id=7, may_write=True))
    if not shared:
        create("Ünder", shared, Viewer(project_id=2_000, user_id=8, may_write=True))
