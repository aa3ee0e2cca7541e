"""The Quickstart page: scripts to paste and run, with the user's own API key."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user, login_required

from ..accounts.api_keys import personal_key
from ..accounts.permissions import access_of_user
from .context import describe, find_project
from .projects import last_project

bp = Blueprint("quickstart", __name__)

# id, title, and the command that installs from a clone: PyPI has the client up to 4.0 only
EXAMPLES = (
    ("python", "Python", "pip install ."),
    ("keras", "Keras", "pip install '.[keras]' torch"),
    ("lightning", "Lightning", "pip install '.[lightning]'"),
)


@bp.get("/quickstart")
@login_required
def home() -> Any:
    project_id = last_project()
    if project_id is None:
        return redirect(url_for("projects.index"))
    return redirect(url_for("quickstart.show", project_id=project_id))


@bp.get("/projects/<int:project_id>/quickstart")
@login_required
def show(project_id: int) -> Any:
    project = find_project(project_id)
    described = describe(project)
    base_url = request.host_url.rstrip("/")
    may_write = access_of_user(current_user).may_write(project)
    api_key = personal_key(current_user, project) if may_write else "YOUR_API_KEY"
    examples = [
        {
            "id": id_,
            "title": title,
            "install": install,
            "code": render_template(f"quickstart/{id_}.py.jinja", base_url=base_url, api_key=api_key),
        }
        for id_, title, install in EXAMPLES
    ]
    return render_template(
        "quickstart.html",
        project=described,
        base_url=base_url,
        api_key=api_key,
        examples=examples,
        active_tab="quickstart",
    )
