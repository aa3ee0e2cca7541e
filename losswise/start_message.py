"""The line that is printed when a session starts."""

from __future__ import annotations

from losswise.util.paths import journal_folder, sync_command


def start_message(url: str, base_url: str, is_resumed: bool, mode: str, is_online: bool) -> str:
    """Return where the session can be watched, or how it gets to a server.

    Args:
        url: the session's page.
        base_url: the server's address.
        is_resumed: the session was begun by an earlier process.
        mode: LW_MODE, 'online' or 'offline'.
        is_online: the session is sent; False with mode 'online' means that there is no API key.
    """
    if is_online:
        return f"{'going on, ' if is_resumed else ''}watching at {url}"
    folder, command = journal_folder(), sync_command(journal_folder())
    if mode == "offline":
        return f"offline: kept in {folder}; `{command}` sends it"
    return (
        f"no API key for {base_url}, so this session is kept in {folder}; "
        f"`losswise login {base_url}`, then `{command}` sends it"
    )
