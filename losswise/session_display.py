"""Representations of a session: as text, in a notebook, and in the line that is printed when it starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from losswise.util.guard import guarded
from losswise.util.ipython import is_notebook
from losswise.util.paths import journal_folder, sync_command

if TYPE_CHECKING:
    from losswise.graph import Graph
    from losswise.notebook.curves import CurveStore
    from losswise.notebook.view import SessionView
    from losswise.recording.record_queue import RecordQueue
    from losswise.recording.recorder import Recorder


class SessionDisplay:
    """Base class of Session. The package `notebook` is imported only where a notebook asks for it."""

    id: str = ""
    url: str = ""
    base_url: str = ""
    tag: str | None = None
    status: str = "active"
    _is_resumed: bool
    _max_iter: int | None
    _graphs: dict[str, Graph]
    _queue: RecordQueue
    _recorder: Recorder | None = None
    _curves: CurveStore | None = None

    def _start_message(self, mode: str, is_online: bool) -> str:
        """Return where the session can be watched, or how it gets to a server."""
        if is_online:
            return f"{'going on, ' if self._is_resumed else ''}watching at {self.url}"
        folder, command = journal_folder(), sync_command(journal_folder())
        if mode == "offline":
            return f"offline: kept in {folder}; `{command}` sends it"
        return (
            f"no API key for {self.base_url}, so this session is kept in {folder}; "
            f"`losswise login {self.base_url}`, then `{command}` sends it"
        )

    @guarded("watching the cells of a notebook")
    def _start_in_notebook(self, done: Callable[[], None]) -> None:
        """Keep the curves in memory if they can be shown, and end the session if its cell runs again."""
        from losswise.notebook import cells
        from losswise.notebook.curves import CurveStore

        if is_notebook():
            self._curves = CurveStore()
            self._queue.listener = self._curves.add
        cells.track(lambda: self.status == "active", done)

    def _follow_in_notebook(self) -> None:
        """Update the outputs that show this session: it is active (again)."""
        if self._curves is not None:
            from losswise.notebook import display

            display.follow(self._view)

    def _view(self) -> SessionView:
        from losswise.notebook.view import view_of

        name, graphs = self._name(), list(self._graphs.values())
        shown = {"name": name, "url": self.url, "status": self.status, "max_iter": self._max_iter}
        return view_of(self._recorder, self._queue, graphs, curves=self._curves, **shown)

    def _name(self) -> str:
        return self.tag or f"session {self.id[:4]}"

    def _write_out(self, timeout: float) -> None:
        if self._recorder is not None and self._queue.has_work():
            self._recorder.write_out(timeout)

    @guarded("showing a session", default="")
    def _repr_html_(self) -> str:
        from losswise.notebook.html import render

        return render(self._view())

    def _ipython_display_(self) -> None:
        """Show the session as a cell's result, and keep that up to date while the session is active.

        Raises:
            NotImplementedError: this is no notebook; IPython then asks for another representation.
        """
        from losswise.notebook import display

        if not display.show(self._view, self.__repr__, self._write_out):
            raise NotImplementedError

    @guarded("showing a session", default="<losswise.Session>")
    def __repr__(self) -> str:
        return f"<losswise.Session {self._name()!r} {self.status} {self.url or 'not recorded'}>"
