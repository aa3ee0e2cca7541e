"""The session table as a file: CSV with the columns of the table, or JSON lines with all of each session's row."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import msgspec

from ..db.engine import reading
from ..sessions.listing import read_rows
from ..sessions.row_values import Session, done_at, elapsed, entry_at, statistic

CSV, JSONL = "csv", "jsonl"
MEDIA_TYPES = {CSV: "text/csv; charset=utf-8", JSONL: "application/x-ndjson"}
CHUNK_ROWS = 200
COLUMNS = ("id", "tag", "status", "created", "elapsed", "progress", "iter", "group", "tags", "note")
"""Of a CSV file whose columns are not named."""
FORMULA_BEGINS = ("=", "@", "\t", "\r")
"""What begins a formula in a spreadsheet. A text that begins so gets an apostrophe, which spreadsheets do not show."""


def write_table(keys: Sequence[int], format_: str, columns: Sequence[str]) -> Iterator[bytes]:
    """The lines of a file with these sessions, in chunks.

    Sessions that are deleted meanwhile are left out.

    Args:
        keys: of the sessions, in the order of the lines.
        format_: CSV or JSONL.
        columns: of a CSV file, by the keys that the table has for them: "tag", "elapsed", "min(loss)", "params.lr".
    """
    if format_ == CSV:
        yield _csv_lines([columns])
    for start in range(0, len(keys), CHUNK_ROWS):
        with reading() as connection:
            rows = read_rows(connection, keys[start : start + CHUNK_ROWS])
        if format_ == JSONL:
            yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        else:
            now = time.time()
            yield _csv_lines([[_text(cell(row, column, now)) for column in columns] for row in rows])


def _csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    lines = io.StringIO()
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode("utf-8", "replace")


def cell(session: Session, column: str, now: float) -> Any:
    """What a session has in a column of the table; None if nothing. Times are ISO 8601 in UTC, durations seconds."""
    if column in _CELLS:
        return _CELLS[column](session, now)
    group, dot, name = column.partition(".")
    if dot and group in ("params", "values"):
        return entry_at(session[group], name)
    return statistic(session, column)


def _time(seconds: float | None) -> str | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return str(seconds)  # a clock may say anything


def _as_it_is(name: str) -> Callable[[Session, float], Any]:
    return lambda session, _now: session[name]


_CELLS: dict[str, Callable[[Session, float], Any]] = {
    **{
        name: _as_it_is(name) for name in ("id", "tag", "status", "reason", "failure", "progress", "max_iter", "points")
    },
    **{
        name: _as_it_is(name)
        for name in ("project", "group", "note", "starred", "commit", "branch", "host", "user", "points")
    },
    "iter": _as_it_is("last_x"),
    "elapsed": lambda session, now: round(elapsed(session, now), 3),
    "done": lambda session, _now: _time(done_at(session)),
    "created": lambda session, _now: _time(session["created_at"]),
    "tags": lambda session, _now: ", ".join(session["tags"]),
}


def _text(value: Any) -> str:
    """A cell's text: numbers with all their digits, objects and lists as JSON, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA_BEGINS) or _is_signed_text(value) else value
    return repr(value)


def _is_signed_text(text: str) -> bool:
    """Whether it begins with a sign, as a formula can, and is no number."""
    if not text.startswith(("+", "-")):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False
