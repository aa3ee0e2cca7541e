"""Translate the bodies of v1 calls into records. Pure: no database, no request."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from losswise.protocol import records as format_
from losswise.protocol.limits import KINDS, MAX_JSON_DEPTH, MAX_NAME_LENGTH, MAX_NAMES, MAX_OUTPUTS_BYTES
from losswise.protocol.records import NOT_FINITE, Record
from losswise.util.redact import without_user

from ..db.json_depth import as_text, bounded
from ..exceptions import ApiError, BadRecord
from ..ingest.session_fields import cut, text
from ..sessions.images import Sequence
from .v1_points import whole_number
from .v1_refusals import Refusals

MAX_PIXELS = 2**31 - 1
MAX_PART_BYTES = 500_000  # of the values in one record
MAX_SHORT_CHARS = 1_000  # of the text that takes the place of a larger value

# v1 clients send any variables of their environment in `env`: names that may hold a secret are dropped.
SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "KEY")


def session(body: Mapping[str, Any], now: float) -> Record:
    """The session record of a POST /sessions. Releases up to 0.8 call the params `data`."""
    env = _object(body, "env")
    build = body.get("lbr_build_uuid") or body.get("job_id")
    if build:
        env = {"LBR_BUILD_UUID": as_text(build), **env}
    tag = body.get("tag")
    return format_.session_record(
        tag="default" if tag is None else tag,
        params=body.get("params", body.get("data")),
        max_iter=body.get("max_iter"),
        env={name: value for name, value in env.items() if not any(word in name.upper() for word in SECRET_WORDS)},
        git=_git(body),
        info=body.get("info"),
        created_at=now,
    )


def _git(body: Mapping[str, Any]) -> Any:
    git = body.get("git")
    if not isinstance(git, dict):
        return git
    return {**git, "url": without_user(as_text(git["url"]))} if git.get("url") else git


def graph(body: Mapping[str, Any], session_id: str) -> Record:
    title = _text(body.get("title"))
    kind = body.get("kind")
    return format_.graph_record(
        format_.graph_id(session_id, title),
        title,
        _text(body.get("xlabel")),
        _text(body.get("ylabel")),
        kind if kind in KINDS else None,
    )


def values(given: Mapping[str, Any]) -> Iterator[Record]:
    """Values records of what a POST /values gives: each with as many as a record may have."""
    part: dict[str, Any] = {}
    size = 0
    for name, value in given.items():
        value = bounded(value, MAX_JSON_DEPTH - 1, cut=True)
        value_size = len(msgspec.json.encode(value))
        if value_size > MAX_PART_BYTES:
            value, value_size = text(value, MAX_SHORT_CHARS), MAX_SHORT_CHARS
        if part and (len(part) >= MAX_NAMES or size + value_size > MAX_PART_BYTES):
            yield format_.values_record(part)
            part, size = {}, 0
        part[cut(name, MAX_NAME_LENGTH)] = value
        size += value_size
    if part:
        yield format_.values_record(part)


def sequence(body: Mapping[str, Any]) -> Sequence:
    """The image sequence of a POST /prediction-sequences. Raises ApiError (422) if its x is no whole number."""
    try:
        return Sequence(_text(body.get("name")), whole_number(body.get("x")))
    except BadRecord as error:
        raise ApiError(422, "bad_record", str(error)) from None


def image(
    body: Mapping[str, Any], session_id: str, sequence: Sequence, sha256: str, data: bytes, refusals: Refusals
) -> Record:
    """The image record of a POST /image-prediction. Metrics that are no numbers are noted and left out."""
    image_id, width_height = _text(body.get("image_id")), png_size(data)
    metrics: dict[str, Any] = {}
    for name, value in _object(body, "metrics").items():
        if value is None or isinstance(value, (int, float)) or value in NOT_FINITE:
            metrics[name] = value
        else:
            what = f"the metric {name[:60]!r} of the image {image_id[:60]!r}"
            refusals.note(session_id, what, "it is not a number", "metrics of images")
    return format_.image_record(
        sequence.name,
        sequence.x,
        image_id,
        sha256,
        *width_height,
        _small_object(_object(body, "outputs")),
        _small_object(metrics),
    )


def png_size(data: bytes) -> tuple[int | None, int | None]:
    """Width and height in pixels, from a PNG's IHDR chunk (bytes 16 to 24); (None, None) for other data."""
    if len(data) < 24 or not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None, None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if max(width, height) <= MAX_PIXELS else (None, None)


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    return dict(value) if isinstance(value, dict) else {}


def _small_object(value: dict[str, Any]) -> dict[str, Any]:
    """The object as an image may have it: cut where it is nested too deeply or too large."""
    value = bounded(value, MAX_JSON_DEPTH, cut=True)
    is_small = len(msgspec.json.encode(value)) <= MAX_OUTPUTS_BYTES
    return value if is_small else {"…": text(value, MAX_SHORT_CHARS)}


def _text(value: Any) -> str:
    """A name as text, cut as a name."""
    return "" if value is None else text(value, MAX_NAME_LENGTH)
