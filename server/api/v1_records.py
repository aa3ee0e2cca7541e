"""Translate the bodies of v1 calls into records. Pure: no database, no request."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from losswise.protocol import records as format_
from losswise.protocol.limits import LATEST_TIME_S, MAX_BATCH_VALUES, MAX_NAMES
from losswise.protocol.records import Record
from losswise.util.redact import without_user

from ..exceptions import ApiError, BadRecord
from ..sessions.images import Sequence

# v1 clients send any variables of their environment in `env`: names that may hold a secret are dropped.
SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "KEY")


def session(body: Mapping[str, Any], now: float) -> Record:
    """The session record of a POST /sessions. Releases up to 0.8 call the params `data`."""
    params = body.get("params", body.get("data"))
    env = _object(body, "env")
    build = body.get("lbr_build_uuid") or body.get("job_id")
    if build:
        env = {"LBR_BUILD_UUID": str(build), **env}
    max_iter = body.get("max_iter")
    if isinstance(max_iter, float) and max_iter.is_integer():
        max_iter = int(max_iter)
    return format_.session_record(
        tag=_text(body.get("tag"), "default"),
        params=params if isinstance(params, dict) else {},
        max_iter=max_iter if max_iter else None,
        env={name: value for name, value in env.items() if not any(word in name.upper() for word in SECRET_WORDS)},
        git=_git(body),
        info=_object(body, "info"),
        created_at=now,
    )


def _git(body: Mapping[str, Any]) -> dict[str, Any]:
    git = _object(body, "git")
    if isinstance(git.get("url"), str):
        git["url"] = without_user(git["url"])
    return git


def graph(body: Mapping[str, Any], session_id: str) -> Record:
    title = _text(body.get("title"))
    return format_.graph_record(
        format_.graph_id(session_id, title),
        title,
        _text(body.get("xlabel")),
        _text(body.get("ylabel")),
        body.get("kind") or None,
    )


class _ColumnBuilder:
    """Collects the points of one graph into columns."""

    def __init__(self) -> None:
        self.x: list[int] = []
        self.t: list[float] = []
        self.y: dict[str, list[Any]] = {}

    def add(self, x: int, t: float, y: Mapping[str, Any]) -> None:
        for name in y:
            self.y.setdefault(name, [None] * len(self.x))
        self.x.append(x)
        self.t.append(t)
        for name, column in self.y.items():
            column.append(y.get(name))
        if len(self.y) > MAX_NAMES:
            raise BadRecord(f"more than {MAX_NAMES} names in its graph")
        if len(self.x) * len(self.y) > MAX_BATCH_VALUES:  # missing values take memory, too
            raise ApiError(413, "too_large", f"a graph with more than {MAX_BATCH_VALUES} values in a list of points")


def points(entries: list[Any], now: float) -> dict[str, list[Record]]:
    """The points records of a list of v1 points, by session id. Raises BadRecord."""
    graphs: dict[tuple[str, str], _ColumnBuilder] = {}
    for number, entry in enumerate(entries, 1):
        try:
            session_id, graph_id, x, t, y = _point(entry, now)
            graphs.setdefault((session_id, graph_id), _ColumnBuilder()).add(x, t, y)
        except BadRecord as error:
            raise BadRecord(f"point {number} of {len(entries)}: {error}") from None
    by_session: dict[str, list[Record]] = {}
    for (session_id, graph_id), columns in graphs.items():
        record = format_.points_record(graph_id, columns.x, columns.t, columns.y)
        by_session.setdefault(session_id, []).append(record)
    return by_session


def _point(entry: Any, now: float) -> tuple[str, str, int, float, dict[str, Any]]:
    if not isinstance(entry, dict):
        raise BadRecord("it must be an object")
    for name in ("session_id", "graph_id"):
        if not isinstance(entry.get(name), str):
            raise BadRecord(f"'{name}' is missing")
    x, y, t = entry.get("x"), entry.get("y"), entry.get("time")
    if isinstance(x, float) and x.is_integer():
        x = int(x)
    if type(x) is not int:
        raise BadRecord("'x' must be a whole number")
    if not isinstance(y, dict):
        raise BadRecord("'y' must be an object of numbers")
    if not isinstance(t, (int, float)) or not 0 <= t <= LATEST_TIME_S:
        t = now
    return entry["session_id"], entry["graph_id"], x, t, {name: _number(y[name]) for name in y}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def sequence(body: Mapping[str, Any]) -> Sequence:
    """The image sequence of a POST /prediction-sequences. Raises ApiError (422) if its x is no whole number."""
    x = body.get("x")
    if isinstance(x, float) and x.is_integer():
        x = int(x)
    if type(x) is not int:
        raise ApiError(422, "bad_record", "'x' must be a whole number")
    return Sequence(_text(body.get("name")), x)


def image(body: Mapping[str, Any], sequence: Sequence, sha256: str, data: bytes) -> Record:
    width, height = png_size(data)
    return format_.image_record(
        sequence.name,
        sequence.x,
        _text(body.get("image_id")),
        sha256,
        width,
        height,
        _object(body, "outputs"),
        _object(body, "metrics"),
    )


def png_size(data: bytes) -> tuple[int | None, int | None]:
    """Width and height in pixels, from a PNG's IHDR chunk (bytes 16 to 24); (None, None) for other data."""
    if len(data) < 24 or not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None, None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    return dict(value) if isinstance(value, dict) else {}


def _text(value: Any, default: str = "") -> str:
    return default if value is None else str(value)
