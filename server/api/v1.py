"""The v1 protocol of the published clients, as thin adapters that turn each call into records.

These clients read nothing but a JSON object with `success` and `error`, so every response is one (for errors see
middleware/errors.py). docs/developing/protocol-v1.md describes the calls.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

from flask import Blueprint, g, jsonify, request

from losswise.protocol import records as format_
from losswise.protocol.limits import MAX_BLOB_BYTES
from losswise.protocol.records import Record

from ..accounts.permissions import Access
from ..exceptions import ApiError
from ..ingest import json_body, pipeline
from ..ingest.decoding import convert_records
from ..ingest.schema import Batch
from ..middleware.admission import V1, body_cost
from ..sessions import images
from . import v1_points, v1_records, v1_writing
from .requests import admitted, count_names, names_of_graphs, require_key, session_key, writable_sessions
from .v1_refusals import Refusals, counting_refused

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
    except json_body.TooLarge as error:
        raise ApiError(413, "too_large", str(error)) from None
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


def _done(refusals: Refusals | None = None, **fields: str) -> Any:
    """The response to a call that was taken. All that was not stored of it passes here (v1_refusals.py)."""
    if refusals:
        refusals.store(g.access)
    return jsonify(success=True, error=refusals.message() if refusals else "", **fields)


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
    """Create a graph. One too many has an id, too: the client would end the training if it got none."""
    access, body = g.access, _body()
    session_id = _text(body, "session_id")
    record = v1_records.graph(body, session_id)
    refusals = Refusals()
    with counting_refused(access, session_id, "graph"):
        v1_writing.store(access, session_id, [record], refusals)
    return _done(refusals, graph_id=record["id"])


@bp.post("/points")
def add_point() -> Any:
    access, body = g.access, _body()
    return _done(_add_points(access, [body]))


@bp.post("/point-list")
def add_points() -> Any:
    """Points of any graphs and sessions. `stats_map` is ignored: the server computes its own statistics."""
    access, body = g.access, _body()
    points = body.get("point_list")
    if not isinstance(points, list):
        raise ApiError(422, "bad_record", "'point_list' must be a list")
    return _done(_add_points(access, points))


def _add_points(access: Access, entries: list[Any]) -> Refusals:
    """Store what can be stored; returns the rest.

    Raises ApiError if no session of the points can be written.
    """
    refusals = Refusals()
    by_session: dict[str, list[v1_points.Point]] = {}
    for point in v1_points.read(entries, time.time(), refusals):
        by_session.setdefault(point.session, []).append(point)
    keys, errors = writable_sessions(set(by_session), access)
    for session_id, points in by_session.items():
        if session_id in errors:
            continue
        names = names_of_graphs(keys[session_id], {point.graph for point in points})
        room = v1_points.NameRoom(partial(count_names, keys[session_id]))
        records = v1_points.to_records(points, names, room, refusals)
        try:
            v1_writing.store(access, session_id, records, refusals)
        except ApiError as error:  # such as a session that has just been deleted
            errors[session_id] = error
    if errors and len(errors) == len(by_session):
        raise next(iter(errors.values()))
    for session_id, refusal in errors.items():
        count = len(by_session[session_id])
        refusals.note(session_id, f"{count} points of session {session_id[:40]}", refusal.message, total=count)
    return refusals


@bp.post("/values")
def set_values() -> Any:
    access, body = g.access, _body()
    session_id, values = _text(body, "session_id"), body.get("values")
    refusals = Refusals()
    with counting_refused(access, session_id, "values"):
        if not isinstance(values, dict):
            raise ApiError(422, "bad_record", "'values' must be an object")
        v1_writing.store(access, session_id, v1_records.values(values), refusals)
    return _done(refusals)


@bp.post("/prediction-sequences")
def create_sequence() -> Any:
    access, body = g.access, _body()
    session_id = _text(body, "session_id")
    key = session_key(session_id, access, write=True)
    with counting_refused(access, session_id, "image sequence"):
        sequence = v1_records.sequence(body)
    return _done(prediction_sequence_id=images.store_sequence(key, sequence))


@bp.post("/image-prediction")
def add_image() -> Any:
    access, body = g.access, _body()
    session_id, sequence = images.find_sequence(_text(body, "prediction_sequence_id"))
    key = session_key(session_id, access, write=True)
    refusals = Refusals()
    with counting_refused(access, session_id, "image"):
        try:
            data = base64.b64decode(_text(body, "image"), validate=True)
        except (binascii.Error, ValueError):
            raise ApiError(422, "bad_record", "'image' must be base64") from None
        if len(data) > MAX_BLOB_BYTES:
            raise ApiError(413, "too_large", f"an image has at most {MAX_BLOB_BYTES} bytes")
        sha256 = hashlib.sha256(data).hexdigest()
        record = v1_records.image(body, session_id, sequence, sha256, data, refusals)
        images.store_image(key, sha256, data)
        _apply(access, session_id, [record])
    return _done(refusals)
