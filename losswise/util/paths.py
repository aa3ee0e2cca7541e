"""Where losswise keeps its files for this user: XDG on Linux, the platform's own places elsewhere."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path


def config_folder() -> Path:
    """Settings, such as the stored login. Not created here."""
    return _folder("XDG_CONFIG_HOME", ".config", "Library/Application Support", "APPDATA", "")


def state_folder() -> Path:
    """What outlives a process but is nobody's document, such as journals. Not created here."""
    return _folder("XDG_STATE_HOME", ".local/state", "Library/Application Support", "LOCALAPPDATA", "state")


def data_folder() -> Path:
    """A server's data where no other folder is given. Not created here."""
    return _folder("XDG_DATA_HOME", ".local/share", "Library/Application Support", "LOCALAPPDATA", "data")


def journal_folder() -> Path:
    """Journals of sessions: LW_JOURNAL_DIR, else a folder in the user's state folder. Not created here."""
    chosen = os.environ.get("LW_JOURNAL_DIR")
    # absolute: a script may change its working directory
    return Path(chosen).expanduser().absolute() if chosen else state_folder() / "journals"


def journal_folders() -> list[Path]:
    """Where journals may lie: the folder for them and, where it cannot be written, one of this user's among the
    temporary files. Not created here."""
    return list(dict.fromkeys([journal_folder(), _temporary() / "journals"]))


def sync_command(folder: Path) -> str:
    """What sends the journals of this folder, typed where LW_JOURNAL_DIR is not set: that may be the script's alone."""
    usual = (state_folder() / "journals", _temporary() / "journals")
    return "losswise sync" if folder in usual else f"losswise sync {shlex.quote(str(folder))}"


def _temporary() -> Path:
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"losswise-{user}"


def _home() -> Path:
    """The home folder; a user who has none, as in some containers, gets a folder among the temporary files."""
    try:
        return Path.home()
    except RuntimeError:
        return _temporary()


def _folder(xdg: str, home: str, mac: str, windows: str, part: str) -> Path:
    if sys.platform == "win32":
        base = os.environ.get(windows)
        return (Path(base) if base else _home() / "AppData" / "Local") / "losswise" / part
    if sys.platform == "darwin" and xdg not in os.environ:
        return _home() / mac / "losswise" / part
    chosen = os.environ.get(xdg, "")
    # the XDG specification: a relative path is ignored
    return (Path(chosen) if os.path.isabs(chosen) else _home() / home) / "losswise"
