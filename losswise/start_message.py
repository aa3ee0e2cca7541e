"""The line that is printed when a session starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from losswise.util.paths import journal_folder, sync_command

if TYPE_CHECKING:
    from losswise.session import Session


def copy_line(session: Session) -> str:
    """What is said when a worker records into what its import of the script has made."""
    return (
        f"a worker, which imports the script, records into a session of its own ({session.url or session.id}); for one "
        "session give it session.id, and have it make losswise.Session(resume=id)"
    )


def start_line(session: Session, chosen: str, online: bool) -> str:
    """Where the session can be watched, or how it gets to a server."""
    if online:
        return f"{'going on, ' if session._is_resumed else ''}watching at {session.url}"
    if chosen == "offline":
        return f"offline: kept in {journal_folder()}; `{sync_command(journal_folder())}` sends it"
    return (
        f"no API key for {session.base_url}, so this session is kept in {journal_folder()}; "
        f"`losswise login {session.base_url}`, then `{sync_command(journal_folder())}` sends it"
    )
