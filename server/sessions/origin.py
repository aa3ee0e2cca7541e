"""Where a session comes from: the commit, branch, host and user that the session table shows and queries name.

They are copies of what its metadata hold. A query over all sessions cannot read those, whose diffs may be megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_CHARS = 500
SOURCES = {
    "git_commit": ("git", "commit"),
    "git_branch": ("git", "branch"),
    "host": ("env", "host"),
    "user_name": ("env", "user"),
}
"""Of each column: the part of the metadata, and the name there."""


def origin(git: Mapping[str, Any] | None, env: Mapping[str, Any] | None) -> dict[str, str]:
    """The columns that these metadata give; those that they do not name are left out."""
    parts = {"git": git or {}, "env": env or {}}
    found = {column: parts[part].get(name) for column, (part, name) in SOURCES.items()}
    return {column: text[:MAX_CHARS] for column, text in found.items() if isinstance(text, str) and text}
