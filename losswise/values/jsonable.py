"""Convert params, values, texts and exceptions to plain JSON, whatever types a framework keeps them in.

`snapshot` runs on the caller's thread and copies containers, so that a dictionary that is changed later does not change
what was recorded. `dumps` runs on the journal thread and reads what an accelerator may still have been computing.

Neither raises for what it is given. A value that cannot be read becomes text that says so; everything else is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from losswise.util.messages import notify_once
from losswise.util.unreliable import PASSED_ON, type_name
from losswise.values.containers import UNREADABLE
from losswise.values.copier import Copier, Full
from losswise.values.leaves import detached_leaf, read_leaf

MAX_SNAPSHOT_BYTES = 1024 * 1024  # of JSON, about

_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=lambda value: snapshot(value, read_leaf))


def dumps(value: Any) -> str:
    """Return one line of JSON. A value that JSON lacks becomes a number, a list or its text."""
    try:
        return _encoder.encode(value)
    except PASSED_ON:
        raise
    except BaseException:  # a key or a value that `snapshot` has not seen
        return _encoder.encode(snapshot(value, read_leaf))


def snapshot(value: Any, leaf: Callable[[Any], Any] = detached_leaf) -> Any:
    """Copy nested containers. What is beyond MAX_SNAPSHOT_BYTES is cut, with a note in its place and one message.

    Args:
        leaf: converts what is neither a container nor plain JSON.

    Returns:
        Dictionaries with text as keys (also for dataclasses and namespaces), lists (also for sets, sorted), and leaves
        that `dumps` can encode, copied if they could be modified.
    """
    copier = Copier(MAX_SNAPSHOT_BYTES, leaf)
    try:
        try:
            return copier.copy(value)
        except Full:
            limit = f"{MAX_SNAPSHOT_BYTES >> 20} MiB"
            notify_once("cut", f"params, values and the like are cut to {limit} a call; notes say what is left out")
            return copier.cut(value, MAX_SNAPSHOT_BYTES)
    except PASSED_ON:
        raise
    except BaseException as error:
        return f"<{type_name(error)}>"


def snapshot_items(value: Any) -> dict[str, Any]:
    """Return the `snapshot` of a mapping, which is a dictionary even if the mapping cannot be read."""
    plain = snapshot(value)
    return plain if isinstance(plain, dict) else {UNREADABLE: plain}
