"""The v1 protocol of the published clients, as thin adapters that turn each call into records.

These clients read nothing but a JSON object with `success` and `error`, so every response is one (for errors see
middleware/errors.py). docs/developing/protocol-v1.md describes the calls.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

from flask import Blueprint, g, jsonify, request

from losswise.protocol import records as format_
from losswise.protocol.limits import MAX_BLOB_BYTES
from losswise.protocol.records import Record

from ..accounts.permissions import Access
from ..exceptions import ApiError, BadRecord
from ..ingest import json_body, pipeline
from ..ingest.decoding import convert_records
from ..ingest.schema import Batch
from ..middleware.admission import V1, body_cost
from ..sessions import images
from . import v1_records
from .requests import admitted, require_graphs, require_key, session_key
from .v1_refusals import counting_refused

bp = Blueprint("v1", __name__, url_prefix="/api/v1")


@bp.before_request
def _read_request() -> None:
    """Authenticate and read the body. These clients never retry, so they wait for a slot instead of being rejected."""
    g.access = require_key()
    g.slot_stack = ExitStack()
    slot = g.slot_stack.enter_context(admitted(V1))
    g.body = slot.read_body(request.stream, request.content_length)
    slot.start_work(body_cost(g.body))


@bp.teardown_request
def _release_slot(_error: BaseException | None) -> None:
    if slot_stack := g.pop("slot_stack", None):
        slot_stack.close()


def _body() -> dict[str, Any]:
    try:
        body = json_body.lenient(g.pop("body"))
    except json_body.MalformedBody as error:
        raise ApiError(400, "bad_json", str(error)) from None
    if not isinstance(body, dict):
        raise ApiError(400, "bad_json", "the body must be a JSON object")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(400, "bad_request", f"'{name}' is missing")
    return value


def _apply(access: Access, session_id: str, records: list[Record]) -> None:
    pipeline.apply(Batch(session_id, convert_records(records)), access, protocol=1)


def _done(**fields: str) -> Any:
    return jsonify(success=True, error="", **fields)


@bp.post("/sessions")
def create_session() -> Any:
    access, body = g.access, _body()
    session_id = format_.new_id()
    _apply(access, session_id, [v1_records.session(body, time.time())])
    return _done(session_id=session_id)


@bp.patch("/sessions/<session_id>")
def update_session(session_id: str) -> Any:
    """Keep-alive ("active") or end ("complete")."""
    access, body = g.access, _body()
    attributes = body.get("attributes")
    status = attributes.get("status") if isinstance(attributes, dict) else None
    if status not in ("active", "complete"):
        raise ApiError(422, "bad_record", "attributes.status must be 'active' or 'complete'")
    records = [] if status == "active" else [format_.status_record(status, time.time())]
    _apply(access, session_id, records)
    return _done()


@bp.post("/graphs")
def create_graph() -> Any:
    access, body = g.access, _body()
    session_id = _text(body, "session_id")
    record = v1_records.graph(body, session_id)
    with counting_refused(access, {session_id: 1}, f"graph {record['title']}"):
        _apply(access, session_id, [record])
    return _done(graph_id=record["id"])


@bp.post("/points")
def add_point() -> Any:
    access, body = g.access, _body()
    _add_points(access, [body])
    return _done()


@bp.post("/point-list")
def add_points() -> Any:
    """Points of any graphs and sessions. `stats_map` is ignored: the server computes its own statistics."""
    access, body = g.access, _body()
    points = body.get("point_list")
    if not isinstance(points, list):
        raise ApiError(422, "bad_record", "'point_list' must be a list")
    _add_points(access, points)
    return _done()


def _add_points(access: Access, points: list[Any]) -> None:
    sessions = Counter(str(point.get("session_id")) for point in points if isinstance(point, dict))
    with counting_refused(access, sessions, "points"):
        try:
            by_session = v1_records.points(points, time.time())
        except BadRecord as error:
            raise ApiError(422, "bad_record", str(error)) from None
        # check everything first, so that an unknown session or graph rejects the whole list
        for session_id, records in by_session.items():
            key = session_key(session_id, access, write=True)
            require_graphs(key, {record["graph"] for record in records})
    for session_id, records in by_session.items():
        with counting_refused(access, {session_id: sessions[session_id]}, "points"):
            _apply(access, session_id, records)


@bp.post("/values")
def set_values() -> Any:
    access, body = g.access, _body()
    session_id = _text(body, "session_id")
    with counting_refused(access, {session_id: 1}, "values"):
        _apply(access, session_id, [{"type": "values", "values": body.get("values")}])
    return _done()


@bp.post("/prediction-sequences")
def create_sequence() -> Any:
    access, body = g.access, _body()
    key = session_key(_text(body, "session_id"), access, write=True)
    with counting_refused(access, {body["session_id"]: 1}, "image sequence"):
        return _done(prediction_sequence_id=images.store_sequence(key, v1_records.sequence(body)))


@bp.post("/image-prediction")
def add_image() -> Any:
    access, body = g.access, _body()
    session_id, sequence = images.find_sequence(_text(body, "prediction_sequence_id"))
    key = session_key(session_id, access, write=True)
    with counting_refused(access, {session_id: 1}, "image"):
        try:
            data = base64.b64decode(_text(body, "image"), validate=True)
        except (binascii.Error, ValueError):
            raise ApiError(422, "bad_record", "'image' must be base64") from None
        if len(data) > MAX_BLOB_BYTES:
            raise ApiError(413, "too_large", f"an image has at most {MAX_BLOB_BYTES} bytes")
        sha256 = hashlib.sha256(data).hexdigest()
        record = v1_records.image(body, sequence, sha256, data)
        images.store_image(key, sha256, data)
        _apply(access, session_id, [record])
    return _done()
