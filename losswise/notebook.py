"""How a session shows itself: the line at its start, and as the result of a notebook's cell."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from losswise.folders import journal_folder

if TYPE_CHECKING:
    from losswise.session import Session


def start_line(session: Session, mode: str, online: bool) -> str:
    """Where the session can be watched, or how it gets to a server."""
    if online:
        return f"watching at {session.url}"
    if mode == "offline":
        return f"offline: kept in {journal_folder()}; `losswise sync` sends it"
    return (
        f"no API key for {session.base_url}, so this session is kept in {journal_folder()}; "
        f"`losswise login {session.base_url}`, then `losswise sync` sends it"
    )


def session_html(session: Session) -> str:
    """A link to the session's page, its tag and status, and the graphs so far. Nothing is loaded by it."""
    titles = ", ".join(html.escape(title or "untitled") for title in list(session._graphs)[:20])
    live = "live" if session.status == "active" else html.escape(session.status)
    lines = [
        f'<strong>Losswise</strong> · <a href="{html.escape(session.url)}" target="_blank" rel="noopener">'
        f"{html.escape(session.tag or session.id)}</a> · {live}",
        f"graphs: {titles}" if titles else "no graphs yet",
    ]
    return f"<div>{'<br>'.join(lines)}</div>"
