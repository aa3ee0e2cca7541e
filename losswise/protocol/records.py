"""The one format: what a client records, a journal holds, a batch carries and a server stores.

A record is a JSON object with a `type`. The functions here make records (client), check them (server), and
are the only place that knows their fields. Nothing but the standard library is imported.

Numbers: JSON has no NaN, so NaN and the infinities are the strings "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

Record = dict[str, Any]
_ID = re.compile(r"[0-9a-f]{20}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def new_id() -> str:
    """A new random id of a session or a writer: 20 hex digits."""
    return secrets.token_hex(10)


def is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def graph_id(session_id: str, title: str) -> str:
    """The id of the graph with this title in this session, the same in every process.

    The first 20 hex digits of BLAKE2b over the session's id, a zero byte, and the title.

    >>> graph_id("0123456789abcdef0123", "loss") == graph_id("0123456789abcdef0123", "loss")
    True
    """
    text = session_id.encode() + b"\0" + storable_text(title).encode()
    return hashlib.blake2b(text).hexdigest()[:20]


def storable_text(text: str) -> str:
    """The text with what no database stores replaced by U+FFFD: NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


# Making records: what a client calls. Absent fields stay absent, since a record merges into what is there.


def session_record(**fields: Any) -> Record:
    """A session made or merged. Fields: project, tag, group, tags, params, max_iter, created_at (unix
    seconds), git {branch, url, commit, diff}, env {name: text}, info {name: markdown}."""
    return {"type": "session", **{name: value for name, value in fields.items() if value is not None}}


def merged_session(known: Record, record: Record) -> Record:
    """What the second session record makes of the first: absent fields stay, maps merge by key.

    >>> merged_session({"type": "session", "tag": "a", "params": {"x": 1}}, {"type": "session", "params": {"y": 2}})
    {'type': 'session', 'tag': 'a', 'params': {'x': 1, 'y': 2}}
    """
    maps = {
        name: {**known[name], **value}
        for name, value in record.items()
        if isinstance(value, Mapping) and isinstance(known.get(name), Mapping)
    }
    return {**known, **record, **maps}


def graph_record(id: str, title: str, xlabel: str = "", ylabel: str = "", kind: str | None = None) -> Record:
    return {"type": "graph", "id": id, "title": title, "xlabel": xlabel, "ylabel": ylabel, "kind": kind}


def points_record(
    graph: str, x: Sequence[int], t: Sequence[float], y: Mapping[str, Sequence[float | str | None]]
) -> Record:
    """Points of one graph as columns of equal length. `y` holds numbers as encode_number gives them; None
    means that the name has no value at that place."""
    return {"type": "points", "graph": graph, "x": x, "t": t, "y": y}


def values_record(values: Mapping[str, Any]) -> Record:
    return {"type": "values", "values": values}


def text_record(name: str, text: str, x: int | None = None, append: bool = False) -> Record:
    return {"type": "text", "name": name, "x": x, "text": text, "append": append}


def image_record(
    sequence: str,
    x: int,
    image_id: str,
    sha256: str,
    width: int | None = None,
    height: int | None = None,
    outputs: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Record:
    return {
        "type": "image",
        "sequence": sequence,
        "x": x,
        "image_id": image_id,
        "sha256": sha256,
        "width": width,
        "height": height,
        "outputs": outputs or {},
        "metrics": metrics or {},
    }


def rewind_record(after: int, t: float, graph: str | None = None) -> Record:
    """Take back every point with x > `after` and time <= `t`, of one graph or (None) of all."""
    return {"type": "rewind", "after": after, "t": t, "graph": graph}


def status_record(
    status: str,
    t: float,
    reason: str | None = None,
    error: Mapping[str, str] | None = None,
    dropped: int = 0,
) -> Record:
    """How a writer ended (or 'active'). `error` has type, message and traceback; `dropped` counts points."""
    return {"type": "status", "status": status, "reason": reason, "error": error, "dropped": dropped, "t": t}
