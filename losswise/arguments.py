"""Check the arguments of a session, where the user can still correct them.

Each function raises TypeError or ValueError with a sentence for the user. Those called `checked_...` return the value
in the form in which it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from losswise.protocol.limits import INT64_MIN, KINDS
from losswise.protocol.records import is_id
from losswise.util.messages import notify_once
from losswise.util.unreliable import has, is_a, short, tried, type_name
from losswise.values.containers import to_dict, to_list
from losswise.values.jsonable import snapshot_items
from losswise.values.scalars import to_x
from losswise.values.texts import one_of, to_name

if TYPE_CHECKING:
    from losswise.naming import GraphChoice

MAX_TAGS = 1_000


def check_texts(**texts: Any) -> None:
    """Check arguments, by name, that must be a str or None."""
    _check(texts, str, "text")


def check_params(**params: Any) -> None:
    """Check arguments, by name, that must be a mapping or None."""
    _check(params, Mapping, "a dictionary")


def _check(values: dict[str, Any], kind: type, what: str) -> None:
    for name, value in values.items():
        if value is not None and not is_a(value, kind):
            raise TypeError(f"{name} must be {what}, not {type_name(value)}")


def checked_max_iter(value: Any) -> int | None:
    """Return the expected number of x values as an int above 0, or None."""
    if value is None:
        return None
    whole = None if value is True or value is False else to_x(value)
    if whole is None:
        raise TypeError(f"max_iter must be a whole number of 64 bits or None, not {short(value)}")
    if whole <= 0:
        raise ValueError(f"max_iter must be above 0, not {short(value)}")
    return whole


def checked_info(info: Any) -> dict[str, str]:
    """Return the notes as a dictionary of title to markdown; empty for None."""
    _check({"info": info}, Mapping, "a dictionary of texts")
    notes = to_dict(info)
    for key, value in notes.items():
        if not is_a(key, str) or not is_a(value, str):
            raise TypeError(f"info must map text to text; {short(key)} holds {type_name(value)}")
    return snapshot_items(notes)


def checked_tags(tags: Any) -> list[str] | None:
    """Return the tags as a list; a single str counts as one tag. None: no tags were given."""
    if tags is None:
        return None
    if not (is_a(tags, str) or has(tags, "__iter__")):
        raise TypeError(f"tags must be a list of texts, not {type_name(tags)}")
    words = [tags] if is_a(tags, str) else to_list(tags, MAX_TAGS + 1)
    if not all(is_a(word, str) for word in words):
        raise TypeError("tags must be a list of texts")
    if len(words) > MAX_TAGS:
        notify_once("tags", f"a session has at most {MAX_TAGS:,} tags; further ones are left out")
    return [to_name(word) for word in words[:MAX_TAGS]]


def checked_graphs(graphs: Any) -> dict[str, GraphChoice]:
    """Return the user's choice of graphs by metric name, as `losswise.naming.graph_for` takes it."""
    given = to_dict(graphs)
    if not given:
        return {}
    from losswise.naming import GraphChoice, kind_of

    choices: dict[str, GraphChoice] = {}
    for name, value in given.items():
        pair = tried(tuple, (value, kind_of(value)) if is_a(value, str) else value)
        title, kind = pair if type(pair) is tuple and len(pair) == 2 else (None, None)
        if not is_a(title, str) or (kind is not None and one_of(kind, KINDS) is None):
            raise ValueError(f"graphs takes {{name: (title, kind)}}, not {short(name)}: {short(value)}")
        choices[name] = GraphChoice(to_name(title), one_of(kind, KINDS))
    return choices


def checked_rewind(resume: Any, from_x: Any) -> int | None:
    """Check `resume` and `from_x`. Returns the last x whose points are kept; None means that all are kept."""
    if resume is not None and not (is_a(resume, str) and is_id(resume)):
        raise ValueError(f"resume takes a session's id, 20 hex digits, not {short(resume)}")
    if from_x is None:
        return None
    if resume is None:
        raise ValueError("from_x needs resume: it removes points of an existing session")
    x = to_x(from_x)
    if x is None or x <= INT64_MIN:
        raise ValueError(f"from_x must be a whole number of 64 bits, not {short(from_x)}")
    return x - 1
