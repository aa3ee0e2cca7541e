"""Per-user folders: XDG on Linux, the platform's own conventions elsewhere. Nothing here creates a folder."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path


def config_folder() -> Path:
    """The folder of settings, such as the stored login."""
    return _folder("XDG_CONFIG_HOME", ".config", "Library/Application Support", "APPDATA", "")


def state_folder() -> Path:
    """The folder of state that outlives a process, such as journals."""
    return _folder("XDG_STATE_HOME", ".local/state", "Library/Application Support", "LOCALAPPDATA", "state")


def data_folder() -> Path:
    """The folder of a server's data if no other is given."""
    return _folder("XDG_DATA_HOME", ".local/share", "Library/Application Support", "LOCALAPPDATA", "data")


def journal_folder() -> Path:
    """The folder of journals: LW_JOURNAL_DIR, else one in the user's state folder."""
    chosen = os.environ.get("LW_JOURNAL_DIR")
    # absolute: a script may change its working directory
    return Path(chosen).expanduser().absolute() if chosen else state_folder() / "journals"


def journal_folders() -> list[Path]:
    """The folders that may hold journals: the usual one, and the fallback among the temporary files."""
    return list(dict.fromkeys([journal_folder(), _temporary() / "journals"]))


def sync_command(folder: Path) -> str:
    """The command that sends the journals in `folder`.

    It names the folder unless `losswise sync` finds it without LW_JOURNAL_DIR, which may be set for the script only.
    """
    usual = (state_folder() / "journals", _temporary() / "journals")
    return "losswise sync" if folder in usual else f"losswise sync {shlex.quote(str(folder))}"


def _temporary() -> Path:
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"losswise-{user}"


def _folder(xdg: str, unix: str, mac: str, windows: str, part: str) -> Path:
    try:
        home = Path.home()
    except RuntimeError:  # users without a home folder, as in some containers
        home = _temporary()
    if sys.platform == "win32":
        return Path(os.environ.get(windows) or home / "AppData" / "Local") / "losswise" / part
    if sys.platform == "darwin" and xdg not in os.environ:
        return home / mac / "losswise" / part
    chosen = os.environ.get(xdg, "")
    # the XDG specification: a relative path is ignored
    return (Path(chosen) if os.path.isabs(chosen) else home / unix) / "losswise"
