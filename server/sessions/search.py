"""The text that the search field looks through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_SEARCH_CHARS = 20_000


def search_text(row: Mapping[str, Any]) -> str:
    """Tag, group, tags and params of a session's row, in lower case."""
    lines = [row["tag"], row["group_name"] or "", *row["tags"], *_flat(row["params"])]
    return "\n".join(lines).lower()[:MAX_SEARCH_CHARS]


def _flat(params: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in params.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{prefix}{name}.")
        else:
            lines.append(f"{prefix}{name}={value}")
    return lines
