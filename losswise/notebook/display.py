"""How a session shows itself: the line at its start, and in a notebook charts that follow the training."""

from __future__ import annotations

import html
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from losswise.notebook import cells
from losswise.notebook.curves import Sketch
from losswise.notebook.html import STYLE, card, cut
from losswise.settings import mode
from losswise.util import ipython
from losswise.util.guard import guarded, guarded_thread
from losswise.util.ipython import is_notebook

if TYPE_CHECKING:
    from losswise.recording.recorder import Outbox
    from losswise.session import Session

CHARTS = 6
EACH = 1.0
"""Seconds between two updates of what is shown."""
MOST_SHOWN = 16
"""Outputs that are kept up, the latest ones."""

_COLORS = {"active": "lw-warn", "complete": "lw-good", "failed": "lw-bad"}


@guarded("watching the cells of a notebook")
def attend(session: Session, outbox: Outbox) -> None:
    """Called while a session is made: keep a picture of its curves, where one can be shown."""
    if is_notebook():
        outbox.sketch = Sketch()
    cells.watch(session)


@guarded("going on in a notebook")
def went_on(session: Session) -> None:
    """A session that had ended is active again: what shows it follows it again."""
    _screen.follow(session)


def _name(session: Session) -> str:
    """The tag; of a resumed session, which the server knows, what a page calls one without."""
    return session.tag or f"session {session.id[:4]}"


def session_text(session: Session) -> str:
    """The session in a line."""
    return f"<losswise.Session {_name(session)!r} {session.status} {session.url or 'not recorded'}>"


# the picture


def session_html(session: Session) -> str:
    """The session's state, a link to its page, and a chart of each of its first graphs. Nothing is loaded by it."""
    sketch = session._outbox.sketch if session._outbox is not None else None
    graphs = list(session._graphs.values())
    if not graphs:
        body = _dim("no graphs yet: <code>session.graph(&quot;loss&quot;).append(x, {&quot;train&quot;: 0.5})</code>")
    elif sketch is None:
        body = _dim(f"graphs: {_titles(graph.title for graph in graphs[:20])}")
    else:
        is_live = session.status == "active"
        charts = [card(graph.title, graph.kind, sketch.curves(graph.title), is_live) for graph in graphs[:CHARTS]]
        body = f"<div class=lw-grid>{''.join(charts)}</div>"
        if left := graphs[CHARTS:]:
            more = ", …" if len(left) > CHARTS else ""
            body += _dim(f"on its page, too: {_titles(graph.title for graph in left[:CHARTS])}{more}")
    return f"<div class=losswise><style>{STYLE}</style>{_head(session)}{body}</div>"


def _head(session: Session) -> str:
    outbox = session._outbox
    name = cut(_name(session))
    if outbox is None:
        reason = "; LW_MODE is disabled" if mode() == "disabled" else ""
        name = f"<b>{name}</b>{_dim(f'nothing is recorded{reason}', tag='span')}"
    elif outbox.online:
        name = f'<a href="{html.escape(session.url)}" target=_blank rel=noopener>{name}</a>'
    else:
        name = f"<b>{name}</b>{_dim('kept on this disk; <code>losswise sync</code> sends it', tag='span')}"
    status = html.escape(session.status)
    state = f'<span class="lw-state {_COLORS.get(status, "lw-dim")}">{status}</span>'
    return f"<div class=lw-head>{name}{state}{_progress(session, outbox)}</div>"


def _progress(session: Session, outbox: Outbox | None) -> str:
    whole = session._max_iter
    if not whole or outbox is None:
        return ""
    has_points = bool(outbox.last_x or outbox.last_point_at)
    part = 1.0 if session.status == "complete" else max(0.0, min(1.0, (outbox.last_x + has_points) / whole))
    return (
        f"<span class=lw-done><span class=lw-track><i style=width:{part:.1%}></i></span><span>{int(part * 100)}%</span>"
        f"<span class=lw-dim>{outbox.last_x:,} of {whole:,}</span></span>"
    )


def _dim(text: str, tag: str = "div") -> str:
    return f"<{tag} class=lw-dim>{text}</{tag}>"


def _titles(titles: Any) -> str:
    return ", ".join(cut(title or "untitled") for title in titles)


# what is shown, kept up


class _Output:
    """One output of a cell that shows a session."""

    def __init__(self, session: Session, publisher: Any) -> None:
        self.session = session
        self._publisher = publisher
        self._id = os.urandom(16).hex()
        self._seen: Any = None

    def is_live(self) -> bool:
        outbox = self.session._outbox
        return outbox is not None and not outbox.closed and (outbox.open or outbox.is_writing())

    def publish(self, update: bool = True) -> None:
        """Send what it shows now, if that is not what it shows already."""
        session = self.session
        outbox = session._outbox
        sketch = outbox.sketch if outbox is not None else None
        now = (sketch and sketch.version, session.status, session._max_iter, session.tag, len(session._graphs))
        if now == self._seen:
            return
        self._seen = now
        data = {"text/html": session_html(session), "text/plain": repr(session)}
        self._publisher.publish(data=data, metadata={}, transient={"display_id": self._id}, update=update)


class _Screen:
    """All outputs of this process and the thread that keeps them up while one of their sessions is active."""

    def __init__(self) -> None:
        self._outputs: deque[_Output] = deque(maxlen=MOST_SHOWN)
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._shell: Any = None

    def show(self, session: Session, shell: Any) -> None:
        output = _Output(session, shell.display_pub)
        output.publish(update=False)
        with self._lock:
            self._outputs.append(output)
        if self._shell is not shell:
            shell.events.register("post_run_cell", _after_cell)
            self._shell = shell
        self.follow(session)

    def follow(self, session: Session) -> None:
        """Have the thread run, if this session is shown. (A forked child shows nothing.)"""
        if self._process != os.getpid():
            return
        with self._lock:
            if self._thread is None and any(output.session is session for output in self._outputs):
                self._thread = guarded_thread(self._run, "losswise-notebook")
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(EACH)
            live = [output for output in list(self._outputs) if output.is_live()]
            with self._drawing:
                self._draw()
            with self._lock:
                if not live and not any(output.is_live() for output in self._outputs):
                    self._thread = None
                    return

    def after_cell(self) -> None:
        """Draw what a cell has brought before it has run: a program that runs notebooks listens no longer."""
        outputs = list(self._outputs)
        for outbox in [output.session._outbox for output in outputs]:
            if outbox is not None and outbox.has_work():
                outbox.write_out(0.2)
        if outputs and self._drawing.acquire(timeout=0.2):
            try:
                self._draw()
            finally:
                self._drawing.release()

    def _draw(self) -> None:
        for output in list(self._outputs):
            try:
                output.publish()
            except Exception:  # the kernel closes, or the output is gone
                with self._lock:
                    self._outputs.remove(output)


_screen = _Screen()


@guarded("showing a session")
def _after_cell(result: Any = None) -> None:
    _screen.after_cell()


@guarded("showing a session", default=False)
def _is_shown_live(session: Session) -> bool:
    shell = ipython.shell()
    publisher = getattr(shell, "display_pub", None)
    # what captures outputs (`%%capture`) keeps each update as an output of its own
    is_captured = any(kind.__name__ == "CapturingDisplayPublisher" for kind in type(publisher).__mro__)
    if session._outbox is None or session._outbox.sketch is None or is_captured:
        return False
    _screen.show(session, shell)
    return True


def show(session: Session) -> None:
    """Show the session where a cell's result stands, and keep that up while it is active.

    Raises:
        NotImplementedError: this is no notebook; IPython then asks for another representation.
    """
    if not _is_shown_live(session):
        raise NotImplementedError
