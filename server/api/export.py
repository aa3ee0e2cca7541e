"""POST /sessions/export: the chosen sessions of the table as a file."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from flask import Blueprint, Response, stream_with_context
from msgspec import Meta

from ..db.engine import reading
from ..db.many_rows import is_among
from ..db.models import Session
from ..edits.schema import Selection
from ..edits.selection import projects_of, select_sessions
from ..export.table import COLUMNS, MEDIA_TYPES, write_table
from ..sessions import sorting
from .requests import read_body, require_access

bp = Blueprint("export", __name__, url_prefix="/api/v2")

COUNT_HEADER = "Losswise-Sessions"


class ExportRequest(Selection, kw_only=True):
    """Which sessions to write into a file, and how.

    Attributes:
        columns: of a CSV file, by their keys.
        sort: the order of the lines, as in the list of sessions.
    """

    format: Literal["csv", "jsonl"] = "csv"
    columns: Annotated[list[Annotated[str, Meta(max_length=600)]], Meta(max_length=2_000)] = []
    sort: Annotated[str, Meta(max_length=600)] = ""


@bp.post("/sessions/export")
def export_sessions() -> Response:
    access = require_access()
    body = read_body(ExportRequest)
    selected = select_sessions(body, projects_of(access), write=False)
    keys = []
    if selected.keys:
        with reading() as connection:
            among = is_among(connection, Session.__table__.c.key, selected.keys)
            keys = sorting.read_page(connection, among, body.sort or "-created_at", None, len(selected.keys)).keys
    lines = write_table(keys, body.format, body.columns or COLUMNS)
    name = time.strftime(f"sessions-%Y-%m-%d.{body.format}", time.gmtime())
    response = Response(stream_with_context(lines), content_type=MEDIA_TYPES[body.format])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers[COUNT_HEADER] = str(len(keys))
    return response
