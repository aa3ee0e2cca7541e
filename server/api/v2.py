"""The v2 protocol: batches of records, and blobs. docs/developing/protocol-v2.md describes it."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_login import current_user

from losswise.protocol.limits import MAX_BATCH_BYTES, MAX_BLOB_BYTES
from losswise.protocol.records import is_sha256

from ..db.engine import writing
from ..db.models import Project
from ..exceptions import ApiError
from ..extensions import db
from ..ingest import json_body, pipeline
from ..ingest.decoding import decode_batch
from ..ingest.schema import Batch
from ..maintenance import deletion
from ..middleware.admission import V2, Slot, body_cost
from ..sessions import blobs
from .requests import admitted, require_access, require_key, session_key

bp = Blueprint("v2", __name__, url_prefix="/api/v2")


@bp.post("/batches")
def post_batch() -> Any:
    access = require_key()
    with admitted(V2) as slot:
        batch = _read_batch(slot)
        slot.enter_session(batch.session)
        last, created = pipeline.apply(batch, access)
    return jsonify(last=last, created=True) if created else jsonify(last=last)


def _read_batch(slot: Slot) -> Batch:
    """Read, decompress and decode the batch, each as soon as there is room for it."""
    body = slot.read_body(request.stream, request.content_length)
    try:
        if request.headers.get("Content-Encoding", "").lower() == "gzip":
            slot.reserve(len(body) + min(json_body.unpacked_size(body), MAX_BATCH_BYTES))
            body = json_body.gunzip(body, MAX_BATCH_BYTES)
        slot.start_work(body_cost(body))
        return decode_batch(body)
    except json_body.TooLarge as error:
        raise ApiError(413, "too_large", str(error)) from None
    except json_body.MalformedBody as error:
        raise ApiError(400, "bad_json", str(error)) from None


@bp.put("/sessions/<session_id>/blobs/<sha256>")
def put_blob(session_id: str, sha256: str) -> Any:
    key = session_key(session_id, require_access(), write=True)
    if not is_sha256(sha256):
        raise ApiError(422, "bad_blob", "a blob's name is its SHA-256, 64 hex digits")
    if (request.content_length or 0) > MAX_BLOB_BYTES:
        raise ApiError(413, "too_large", f"a blob has at most {MAX_BLOB_BYTES} bytes")
    with admitted(V2) as slot:
        data = slot.read_body(request.stream, request.content_length)
        if len(data) > MAX_BLOB_BYTES:  # a chunked request tells no length in advance
            raise ApiError(413, "too_large", f"a blob has at most {MAX_BLOB_BYTES} bytes")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ApiError(422, "bad_blob", "the bytes do not have this SHA-256")
        slot.start_work(len(data))
        with writing() as connection:
            blobs.store(connection, key, sha256, data)
    return jsonify(sha256=sha256)


@bp.get("/sessions/<session_id>/blobs/<sha256>")
def get_blob(session_id: str, sha256: str) -> Any:
    key = session_key(session_id, require_access())
    data = blobs.read(db.session.connection(), key, sha256)
    if data is None:
        raise ApiError(404, "unknown_blob", "this session has no such blob")
    response = Response(data, mimetype=blobs.image_type(data))
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    # whatever the bytes are, a browser shows them as an image or not at all
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@bp.delete("/sessions/<session_id>")
def delete_session(session_id: str) -> Any:
    session_key(session_id, require_access(), write=True)
    db.session.rollback()
    deletion.delete_session(session_id)
    return jsonify({})


@bp.get("/me")
def me() -> Any:
    """Whose API key or cookie this is."""
    access = require_access()
    project = db.session.get(Project, access.default_project) if access.default_project else None
    person = current_user if access.default_project is None else None
    return jsonify(
        user={"email": person.email, "name": person.name} if person is not None else None,
        organization=project.organization.name if project is not None else None,
        project={"id": project.id, "name": project.name} if project is not None else None,
    )
