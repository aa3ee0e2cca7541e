"""A server's address with an API key for it, and the ones that `losswise login URL` stores for this user."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from losswise.util.paths import config_folder


@dataclass(frozen=True)
class Target:
    """A server's address, and the API key that may be sent to it and to no other address (None if none is known)."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)


def login_path() -> Path:
    """The file of the stored login. Its folder may not exist yet."""
    return config_folder() / "login.json"


def load_login() -> Target | None:
    """The stored login, or None if there is none or it cannot be read."""
    try:
        stored = json.loads(login_path().read_text(encoding="utf-8"))
        base_url, api_key = stored["base_url"], stored["api_key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_whole = isinstance(base_url, str) and isinstance(api_key, str) and base_url and api_key
    return Target(base_url.rstrip("/"), api_key) if is_whole else None


def store_login(base_url: str, api_key: str) -> Path:
    """Store an address and a key, replacing the stored login atomically. Returns the file's path.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path = login_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        os.chmod(path.parent, 0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".login-")  # mode 600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"base_url": base_url.rstrip("/"), "api_key": api_key}, file)
            file.write("\n")
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return path
