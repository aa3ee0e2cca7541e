"""Records: what a client writes, a journal holds, a batch carries and a server stores.

A record is a JSON object with a `type`. The constructors below are the only place in the client that knows the fields
of each type. Everywhere:

- an id is 20 hex digits; a time `t` is in unix seconds; an `x` (usually the training step) is a 64-bit integer;
- a number that JSON lacks is a string, "NaN", "Infinity" or "-Infinity": see `encode_number`;
- a record merges into what the server has: a later session, graph or values record changes the fields it contains.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

Record = dict[str, Any]

NOT_FINITE = ("NaN", "Infinity", "-Infinity")  # what `encode_number` returns for numbers that JSON lacks


def new_id() -> str:
    """Return a new random id for a session or a writer: 20 hex digits."""
    return secrets.token_hex(10)


def is_id(value: object) -> bool:
    """Return whether `value` is a text of 20 lower-case hex digits."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{20}", value) is not None


def is_sha256(value: object) -> bool:
    """Return whether `value` is a SHA-256 digest as 64 lower-case hex digits."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def graph_id(session_id: str, title: str) -> str:
    """Return the id of the graph with this title in this session.

    It is derived, so that several processes that write to one session draw on the same graph without asking the
    server: the first 20 hex digits of BLAKE2b over the session's id, a zero byte and the title.
    """
    return hashlib.blake2b(session_id.encode() + b"\0" + storable_text(title).encode()).hexdigest()[:20]


def storable_text(text: str) -> str:
    """Return the text with every character that a database cannot store (NUL, lone surrogates) replaced by U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def encode_number(value: float) -> float | str:
    """Return the JSON form of a float: itself if it is finite, else "NaN", "Infinity" or "-Infinity".

    JSON has no such numbers; Python's `float` decodes their names.

    Example:
        >>> encode_number(0.5), encode_number(float("nan"))
        (0.5, 'NaN')
    """
    if math.isfinite(value):
        return value
    return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")


# Record constructors


def session_record(**fields: Any) -> Record:
    """Create or change the session. The first record of every writer.

    The fields are `project` (a name, where the API key may write to several), `tag`, `group`, `tags` (list of str),
    `params` (JSON values by name), `max_iter` (expected number of x values), `created_at` (unix seconds), `git`
    (branch, url, commit and diff), `env` (texts by name, such as the host and the Python version) and `info` (markdown
    by title). One that is None is left out, and leaves what the server has unchanged.
    """
    return {"type": "session", **{name: value for name, value in fields.items() if value is not None}}


def merged_session(known: Record, record: Record) -> Record:
    """Merge a session record into an earlier one, as the server does: mappings by key, other fields as a whole.

    Example:
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
    """Create or change a graph.

    Args:
        id: as `graph_id` returns it for this title.
        title, xlabel, ylabel: shown above the graph and at its axes.
        kind: 'min' or 'max': which value of its metrics is the best, for the session table. None: neither.
    """
    return {"type": "graph", "id": id, "title": title, "xlabel": xlabel, "ylabel": ylabel, "kind": kind}


def points_record(
    graph: str, x: Sequence[int], t: Sequence[float], y: Mapping[str, Sequence[float | str | None]]
) -> Record:
    """Add points to a graph, as columns of equal length N.

    Args:
        graph: id of the graph.
        x, t: N integers, and N times.
        y: for each metric name N numbers as `encode_number` returns them; None where the metric has no value.
    """
    return {"type": "points", "graph": graph, "x": x, "t": t, "y": y}


def values_record(values: Mapping[str, Any]) -> Record:
    """Set cells of the session table: JSON values by column name."""
    return {"type": "values", "values": values}


def mark_record(number: int, t: float | None = None) -> Record:
    """Mark a place in the writer's records, which a later `rewind_record` can name: the state of a checkpoint.

    To servers that do not know marks this is a values record without values.

    Args:
        number: of the mark: 1 for the writer's first one, 2 for the next, ...
        t: when, if records from before may follow the mark, such as values that an accelerator computes too slowly.
    """
    return {"type": "values", "values": {}, "mark": number, **({} if t is None else {"t": t})}


def progress_record(steps: int, t: float) -> Record:
    """Tell how many training steps are done; from then on, the x of points say nothing about the progress.

    To servers that do not know it this is a values record without values.
    """
    return {"type": "values", "values": {}, "steps": steps, "t": t}


def text_record(name: str, text: str, x: int | None = None, append: bool = False) -> Record:
    """Store a text.

    Args:
        name: its title; with `x`, the key under which it is stored.
        text: markdown, or plain text for the console.
        x: the step that it belongs to; None: the whole session.
        append: add to the text stored so far instead of replacing it. The last `MAX_TEXT_LENGTH` characters are kept.
    """
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
    """Add an image to a sequence. Its file is uploaded separately, as a blob.

    Args:
        sequence, x, image_id: name of the sequence, step, and name of the image, which is unique among these.
        sha256: digest of the file, 64 hex digits.
        width, height: pixels.
        outputs, metrics: what the model made of the image, and numbers about that: JSON values by name.
    """
    image = {"sequence": sequence, "x": x, "image_id": image_id, "sha256": sha256, "width": width, "height": height}
    return {"type": "image", **image, "outputs": outputs or {}, "metrics": metrics or {}}


def rewind_record(
    after: int, t: float, graph: str | None = None, since: float | None = None, kept: Mapping[str, int] | None = None
) -> Record:
    """Remove points, because training continues from an earlier step.

    Args:
        after: points with x > `after` are removed,
        t: if their time is at most this one (unix seconds): points added later than the rewind stay.
        graph: id of the only graph concerned; None: all graphs of the session.
        since: when the checkpoint was saved. With it, points are removed by what was recorded after the checkpoint.
        kept: the number of the mark, by writer, up to which its points stay and after which they are removed,
            whatever their x. For other writers `since` and `t` decide, and `after` for those that do not train.
    """
    more = {"since": since, "kept": kept or {}} if since is not None else {}
    return {"type": "rewind", "after": after, "t": t, "graph": graph, **more}


def status_record(
    status: str, t: float, reason: str | None = None, error: Mapping[str, str] | None = None, dropped: int = 0
) -> Record:
    """Record how the writer ended. The last record of every writer.

    Args:
        status: one of `STATUSES`.
        t: when.
        reason: a word such as 'error' or 'interrupted'; None: it ended well.
        error: mapping with `type`, `message` and `traceback`; None: there was no exception.
        dropped: number of points that the writer lost, for example because the disk was full.
    """
    return {"type": "status", "status": status, "reason": reason, "error": error, "dropped": dropped, "t": t}
