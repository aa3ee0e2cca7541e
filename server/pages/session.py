"""One session: the address that a script prints, and the page of all that is not a curve."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from sqlalchemy import select

from .. import deletion
from ..access import access_of_user
from ..database import reading
from ..extensions import db
from ..models import Project, Session
from ..sessiondetails import read_session
from . import describe
from .projects import find_project

bp = Blueprint("session", __name__)

CONSOLE = "console"
SHOWN = 200_000
"""Characters of a text on the page, from its end; the API has all."""


@bp.get("/s/<session_id>")
@login_required
def curves(session_id: str) -> Any:
    """The project's page with that session selected."""
    project, _key = _find(session_id)
    return redirect(url_for("projects.show", project_id=project.id, s=session_id))


@bp.get("/s/<session_id>/details")
@login_required
def details(session_id: str) -> Any:
    project, key = _find(session_id)
    described = describe(project)
    may_write = access_of_user(current_user).may_write(project)
    db.session.rollback()
    with reading() as connection:
        session = read_session(connection, key, session_id)
    if session is None:
        abort(404, "This session has just been deleted.")
    texts = _by_name(session["texts"])
    return render_template(
        "session.html",
        project=described,
        session=session,
        console=texts.pop(CONSOLE, None),
        texts=texts,
        sequences=_by_sequence(session["images"]),
        may_write=may_write,
        is_asked=request.args.get("delete") is not None,
    )


@bp.post("/s/<session_id>/delete")
@login_required
def delete(session_id: str) -> Any:
    project, _key = _find(session_id)
    if not access_of_user(current_user).may_write(project):
        abort(403, "You may look at this session, not delete it.")
    address = url_for("projects.show", project_id=project.id)
    db.session.rollback()
    deletion.delete_session(session_id)
    return redirect(address, 303)


def _find(session_id: str) -> tuple[Project, int]:
    """The session's project and key. Ends the request with 404 where there is no such session to be seen."""
    row = db.session.execute(select(Session.project_id, Session.key).where(Session.id == session_id)).first()
    if row is None:
        abort(404, "There is no such session. One that has just begun appears when its first records arrive.")
    return find_project(row.project_id), row.key


def _by_name(texts: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The texts of each name, the latest first; of a long one the end."""
    found: dict[str, list[dict[str, Any]]] = {}
    for text in texts:
        cut = len(text["text"]) > SHOWN
        found.setdefault(text["name"], []).append({**text, "text": text["text"][-SHOWN:], "cut": cut})
    return {name: sorted(those, key=_x, reverse=True) for name, those in found.items()}


def _by_sequence(images: list[dict[str, Any]]) -> dict[str, dict[int, list[dict[str, Any]]]]:
    """The images of each sequence by x, as they come: ordered by x."""
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for image in images:
        found.setdefault(image["sequence"], {}).setdefault(image["x"], []).append(image)
    return found


def _x(text: dict[str, Any]) -> float:
    return float("-inf") if text["x"] is None else float(text["x"])
