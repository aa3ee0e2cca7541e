"""Every route of the application, with who gets which answer: test_routes.py asks each as each of ASKERS.

A new route needs a row here. The route's object is a project of the default organization with one session.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ASKERS = (
    "nobody",
    "a key that does not exist",
    "a key of another organization",
    "a key limited to another project",
    "a key limited to the project",
    "a key of the organization",
    "a person of another organization",
    "a viewer",
    "a member",
    "an owner",
)

MAY_NOT_READ = (*ASKERS[:4], "a person of another organization")
"""Those who get nothing of the project, whatever the status."""

BLOB = b"\x89PNG\r\n\x1a\n" + bytes(20)

Answers = tuple[int, ...]
"""A status for each of ASKERS. Pages redirect who is not signed in (302): keys are for programs."""

#                nobody  wrong  other  elsewhere  limited  ours  stranger  viewer  member  owner
ANYBODY: Answers = (200, 200, 200, 200, 200, 200, 200, 200, 200, 200)
WHO_IS_KNOWN: Answers = (401, 401, 200, 200, 200, 200, 200, 200, 200, 200)
READ: Answers = (401, 401, 404, 404, 200, 200, 404, 200, 200, 200)
WRITE: Answers = (401, 401, 404, 404, 200, 200, 404, 403, 200, 200)
PREFERENCE: Answers = (401, 401, 404, 404, 403, 403, 404, 200, 200, 200)
"""A person's own: the keys here are those of organizations."""
NEW_VIEW: Answers = (401, 401, 404, 404, 403, 403, 404, 201, 201, 201)
BATCHES: Answers = (401, 401, 403, 403, 200, 200, 401, 401, 401, 401)
"""By key alone. Who writes to a session of others learns that it exists: ids are 80 random bits."""
PAGE: Answers = (302, 302, 302, 302, 302, 302, 404, 200, 200, 200)
OWN_PAGE: Answers = (302, 302, 302, 302, 302, 302, 200, 200, 200, 200)
REDIRECT_PAGE: Answers = (302, 302, 302, 302, 302, 302, 404, 302, 302, 302)
WRITE_PAGE: Answers = (302, 302, 302, 302, 302, 302, 404, 403, 303, 303)


class Route(NamedTuple):
    """A route, and a request for it. `{project}`, `{session}`, `{other}`, `{graph}`, `{blob}`, `{view}` (one of the
    project's) and `{address}` (a stored one) are put into it.

    Attributes:
        rule: method and rule, as the application has it.
        path: the rule's address, with its arguments.
        json: the body.
        data: the body of a request that has no JSON.
        leaves_out: whether what may not be read is left out of the response, and what may be read is in it.
    """

    rule: str
    answers: Answers
    path: str = ""
    json: Any = None
    data: bytes | None = None
    leaves_out: bool = False


MATCHING = {"project_id": "{project}"}
BATCH = {"format": 1, "session": "{session}", "records": [{"type": "session", "params": {"a": 1}}]}

ROUTES = (
    # what everybody may see
    Route("GET /healthz", ANYBODY),
    Route("GET /login", (*ANYBODY[:6], 302, 302, 302, 302)),
    Route("GET /static/<path:filename>", ANYBODY, "/static/favicon.svg"),
    # who is known
    Route("GET /api/v2/me", WHO_IS_KNOWN),
    Route("GET /api/v2/projects", WHO_IS_KNOWN, leaves_out=True),
    Route("GET /api/v2/sessions/parse", WHO_IS_KNOWN, "/api/v2/sessions/parse?q=lr%3C1"),
    # the list of sessions
    Route("GET /api/v2/sessions", READ, "/api/v2/sessions?project_id={project}"),
    Route("GET /api/v2/sessions/changes", READ, "/api/v2/sessions/changes?project_id={project}"),
    Route("GET /api/v2/sessions/fields", READ, "/api/v2/sessions/fields?project_id={project}"),
    Route("GET /api/v2/sessions/field_values", READ, "/api/v2/sessions/field_values?project_id={project}&field=lr"),
    Route("GET /api/v2/sessions/groups", READ, "/api/v2/sessions/groups?project_id={project}&by=lr"),
    Route("GET /api/v2/sessions/differing_params", READ, "/api/v2/sessions/differing_params?project_id={project}"),
    Route("GET /api/v2/series/groups", READ, "/api/v2/series/groups?project_id={project}&title=loss"),
    Route("GET /api/v2/series/groups/graphs", READ, "/api/v2/series/groups/graphs?project_id={project}"),
    Route("GET /live", READ, "/live?project_id={project}"),
    Route("POST /api/v2/sessions/export", READ, json={"matching": MATCHING}),
    Route("GET /api/v2/sessions/named", WHO_IS_KNOWN, "/api/v2/sessions/named?id={session}", leaves_out=True),
    # one session
    Route("GET /api/v2/sessions/<session_id>", READ, "/api/v2/sessions/{session}"),
    Route("GET /api/v2/graphs/<graph_id>/points", READ, "/api/v2/graphs/{graph}/points"),
    Route("GET /api/v2/series", READ, "/api/v2/series?graph={graph}"),
    Route("GET /api/v2/sessions/<session_id>/blobs/<sha256>", READ, "/api/v2/sessions/{session}/blobs/{blob}"),
    # changes
    Route("POST /api/v2/sessions/edits", WRITE, json={"sessions": ["{session}"], "edit": {"starred": True}}),
    Route("POST /api/v2/sessions/purge", WRITE, json={"sessions": ["{session}"]}),
    Route("DELETE /api/v2/sessions/<session_id>", WRITE, "/api/v2/sessions/{session}"),
    Route("GET /api/v2/projects/<int:project_id>/preferences", PREFERENCE, "/api/v2/projects/{project}/preferences"),
    Route(
        "PUT /api/v2/projects/<int:project_id>/preferences/<name>",
        PREFERENCE,
        "/api/v2/projects/{project}/preferences/columns",
        {},
    ),
    Route("PATCH /api/v2/projects/<int:project_id>", WRITE, "/api/v2/projects/{project}", {"description": "new"}),
    # saved views
    Route("GET /api/v2/views", READ, "/api/v2/views?project_id={project}"),
    Route("POST /api/v2/views", NEW_VIEW, json={"project_id": "{project}", "name": "Mine", "search": "?q=lr"}),
    Route("PUT /api/v2/views/default", WRITE, json={"project_id": "{project}", "by": "project", "view": None}),
    Route("POST /api/v2/views/addresses", READ, json={"project_id": "{project}", "search": "?q=lr"}),
    Route("GET /api/v2/views/<view_id>", READ, "/api/v2/views/{view}"),
    Route("PATCH /api/v2/views/<view_id>", WRITE, "/api/v2/views/{view}", {"version": 1, "search": ""}),
    Route("DELETE /api/v2/views/<view_id>", WRITE, "/api/v2/views/{view}"),
    Route("POST /api/v2/views/<view_id>/restore", WRITE, "/api/v2/views/{view}/restore", {}),
    Route("GET /api/v2/views/addresses/<id_>", READ, "/api/v2/views/addresses/{address}?project_id={project}"),
    # what scripts write
    Route(
        "PUT /api/v2/sessions/<session_id>/blobs/<sha256>", WRITE, "/api/v2/sessions/{session}/blobs/{blob}", data=BLOB
    ),
    Route("POST /api/v2/batches", BATCHES, json=BATCH),
    # pages
    Route("GET /projects/<int:project_id>", PAGE, "/projects/{project}"),
    Route("GET /projects/<int:project_id>/compare", PAGE, "/projects/{project}/compare?s={session}&s={other}"),
    Route("GET /projects/<int:project_id>/quickstart", PAGE, "/projects/{project}/quickstart"),
    Route("GET /s/<session_id>", REDIRECT_PAGE, "/s/{session}"),
    Route("GET /s/<session_id>/details", PAGE, "/s/{session}/details"),
    Route("POST /s/<session_id>/delete", WRITE_PAGE, "/s/{session}/delete"),
    Route("GET /projects", OWN_PAGE),
    Route("GET /projects/rows", OWN_PAGE),
)

_BY_KEY = "by key alone, and answers as the client of version 1 expects: tests/server/api/test_v1.py, test_isolation.py"

ELSEWHERE = {
    "GET /": "redirects to a project that may be read: tests/server/pages",
    "GET /quickstart": "redirects to a project that may be read: tests/server/pages",
    "POST /api/v2/undo/<token>": "an edit is taken back by who has made it: tests/server/edits",
    "GET /sign-in/<token>": "signs in, by a token that works once: tests/server/pages",
    "POST /login": "signs in: tests/server/pages",
    "POST /logout": "signs out: tests/server/pages",
    "POST /api/v1/graphs": _BY_KEY,
    "POST /api/v1/image-prediction": _BY_KEY,
    "POST /api/v1/point-list": _BY_KEY,
    "POST /api/v1/points": _BY_KEY,
    "POST /api/v1/prediction-sequences": _BY_KEY,
    "POST /api/v1/sessions": _BY_KEY,
    "PATCH /api/v1/sessions/<session_id>": _BY_KEY,
    "POST /api/v1/values": _BY_KEY,
}
"""Routes that are tested elsewhere: what they need or answer fits no row."""
