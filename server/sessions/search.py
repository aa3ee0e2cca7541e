"""The text that the search field looks through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..db.json_depth import shallow

MAX_SEARCH_CHARS = 20_000


def search_text(row: Mapping[str, Any]) -> str:
    """Tag, group, tags and params of a session's row, what people have written about it, in lower case."""
    lines: list[str] = []
    length = 0
    for line in _lines(row):
        lines.append(line)
        length += len(line) + 1
        if length > MAX_SEARCH_CHARS:
            break
    recorded = "\n".join(lines).lower()[:MAX_SEARCH_CHARS]
    # beyond that bound, so that long params do not hide the note
    more = [text.lower() for text in (row.get("own_tag"), row.get("note")) if text]
    return "\n".join([recorded, *more])


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    yield from (row["tag"], row["group_name"] or "", *row["tags"])
    # the objects around the next param, each with the beginning of its names: a loop, however deep the nesting is
    open_: list[tuple[str, Iterator[tuple[str, Any]]]] = [("", iter(row["params"].items()))]
    while open_:
        prefix, entries = open_[-1]
        name, value = next(entries, (None, None))
        if name is None:
            open_.pop()
        elif isinstance(value, dict):
            open_.append((f"{prefix}{name}."[:MAX_SEARCH_CHARS], iter(value.items())))
        else:
            yield f"{prefix}{name}={shallow(value)}"
