"""Check the arguments of a session, where the user can still correct them.

Each function raises TypeError or ValueError with a sentence for the user. Those called `checked_...` return the value
in the form in which it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from losswise.protocol.limits import INT64_MIN, KINDS
from losswise.protocol.records import is_id
from losswise.values.jsonable import to_name, to_text
from losswise.values.scalars import to_x

if TYPE_CHECKING:
    from losswise.naming import GraphChoice


def check_texts(**texts: Any) -> None:
    """Check arguments, by name, that must be a str or None."""
    _check(texts, str, "text")


def check_params(**params: Any) -> None:
    """Check arguments, by name, that must be a mapping or None."""
    _check(params, Mapping, "a dictionary")


def _check(values: dict[str, Any], kind: type, what: str) -> None:
    for name, value in values.items():
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} must be {what}, not {type(value).__name__}")


def checked_max_iter(value: Any) -> int | None:
    """Return the expected number of x values as an int above 0, or None."""
    if value is None:
        return None
    whole = None if isinstance(value, bool) else to_x(value)
    if whole is None:
        raise TypeError(f"max_iter must be a whole number of 64 bits or None, not {value!r:.60}")
    if whole <= 0:
        raise ValueError(f"max_iter must be above 0, not {value!r}")
    return whole


def checked_info(info: Any) -> dict[str, str]:
    """Return the notes as a dictionary of title to markdown; empty for None."""
    _check({"info": info}, Mapping, "a dictionary of texts")
    for key, value in (notes := dict(info or {})).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"info must map text to text; {key!r} holds {type(value).__name__}")
    return {to_name(key): to_text(value) for key, value in notes.items()}


def checked_tags(tags: Any) -> list[str] | None:
    """Return the tags as a list; a single str counts as one tag. None: no tags were given."""
    if tags is None:
        return None
    words = [tags] if isinstance(tags, str) else list(tags)
    if not all(isinstance(word, str) for word in words):
        raise TypeError("tags must be a list of texts")
    return words


def checked_graphs(graphs: Any) -> dict[str, GraphChoice]:
    """Return the user's choice of graphs by metric name, as `losswise.naming.graph_for` takes it."""
    if not graphs:
        return {}
    from losswise.naming import GraphChoice, kind_of

    choices: dict[str, GraphChoice] = {}
    for name, value in dict(graphs).items():
        title, kind = (value, kind_of(value)) if isinstance(value, str) else value
        if not isinstance(title, str) or kind not in (None, *KINDS):
            raise ValueError(f"graphs takes {{name: (title, kind)}}, not {name!r}: {value!r}")
        choices[name] = GraphChoice(title, kind)
    return choices


def checked_rewind(resume: Any, from_x: Any) -> int | None:
    """Check `resume` and `from_x`. Returns the last x whose points are kept; None means that all are kept."""
    if resume is not None and not is_id(resume):
        raise ValueError(f"resume takes a session's id, 20 hex digits, not {resume!r}")
    if from_x is None:
        return None
    if resume is None:
        raise ValueError("from_x needs resume: it removes points of an existing session")
    x = to_x(from_x)
    if x is None or x <= INT64_MIN:
        raise ValueError(f"from_x must be a whole number of 64 bits, not {from_x!r}")
    return x - 1
