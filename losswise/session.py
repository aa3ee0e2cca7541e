"""A session: one training run, watched."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from losswise import graph as graphs_of
from losswise import settings, start_message
from losswise.arguments import (
    check_params,
    check_texts,
    checked_info,
    checked_max_iter,
    checked_places,
    checked_rewind,
    checked_tags,
)
from losswise.capture import git
from losswise.capture.collectors import Companions
from losswise.image_sequence import ImageSequence
from losswise.lifecycle import fork, open_sessions, outcome
from losswise.notebook import display
from losswise.params import Params
from losswise.protocol.limits import ENDED, MAX_TEXT
from losswise.protocol.records import (
    Record,
    new_id,
    rewind_record,
    session_record,
    status_record,
    text_record,
    values_record,
)
from losswise.recording.journal_writer import Scribe
from losswise.recording.metric_router import Placer
from losswise.recording.recorder import Outbox
from losswise.util.guard import guarded
from losswise.util.messages import say, say_error, say_once
from losswise.util.paths import journal_folders
from losswise.util.uncopyable import Single
from losswise.values.errors import described_error, safely
from losswise.values.jsonable import name as plain_name
from losswise.values.jsonable import snapshot
from losswise.values.jsonable import text as plain_text
from losswise.values.scalars import to_x


class Session(Single):
    """One training run: its graphs, params, values, and how it ended.

    Made before the training. What it is given is written to a journal on the local disk and delivered from
    there by a thread; nothing here waits for the network save `done` and `flush`, and nothing raises save
    this constructor, for wrong arguments. A spawned worker that imports the script makes its sessions once more;
    such a copy is a session of its own from its first point on, and nothing before.

    As a notebook's result it draws its graphs, live. One made at the top level of a cell is ended as complete
    when a later cell has left no variable that reaches it. An exception in a cell ends no session.

    Args:
        tag: what the session is called; else BUILDKITE_BRANCH, else the git branch, else 'default'.
        max_iter: number of x values expected, for progress and the estimated completion.
        params: what the run was started with, nested as you like; columns of the session table.
        track_git: record branch, remote, commit and diff (at most 1 MiB) of the git repository around.
        info: notes, name to markdown.
        project: project's name, where the key may write several; else the key's own.
        group: sessions of one group stand together, such as the folds of a cross-validation.
        tags: words to filter by.
        resume: id of a session to go on with; a line says so where the server has no such session.
        from_x: with `resume`, the x of the next point: what stands there and after it is taken back, as
            when training goes on from a checkpoint.
        api_key, base_url: the key and the server's address; else as `losswise.settings` finds them.
        graphs: your own places for names in `log`: {"my_score": ("quality", "max")}.
        command_line: record the command line.
        console: keep what is printed (stdout and stderr; progress bars in their last state), at most 1 MiB.
        system: add graphs of processor, memory and GPU, sampled each 10 s. Processor and memory need psutil, GPUs
            nvidia-ml-py: `pip install 'losswise[system]'`.
        data: what `params` was called once.

    Raises:
        TypeError, ValueError: an argument is wrong.

    Attributes:
        id, session_id: 20 hex digits, made here.
        tag: what it is called; None: resumed, and the server knows.
        url: the session's page, known before anything is sent; empty where LW_MODE is disabled.
        status: 'active', then what it ended with.

    Example:
        >>> import losswise
        >>> with losswise.Session("small net", max_iter=100, params={"rate": 0.1}) as session:
        ...     graph = session.graph("loss", kind="min")
        ...     for step in range(100):
        ...         graph.append(step, {"train_loss": 1.0 / (step + 1)})
    """

    id: str = ""
    session_id: str = ""
    url: str = ""
    base_url: str = ""
    tag: str | None = None
    status: str = "active"
    _outbox: Outbox | None = None
    _companions: Companions | None = None
    _left_as: outcome.Ending | None = None
    _is_copy = False

    def __init__(
        self,
        tag: str | None = None,
        max_iter: int | None = None,
        params: Mapping[str, Any] | None = None,
        track_git: bool = True,
        info: Mapping[str, str] | None = None,
        *,
        project: str | None = None,
        group: str | None = None,
        tags: Iterable[str] | None = None,
        resume: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        graphs: Mapping[str, tuple[str, str | None]] | None = None,
        command_line: bool = True,
        console: bool = True,
        system: bool = False,
        from_x: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self.created_at = time.time()
        self.params: dict[str, Any] = {}
        self._graphs: dict[str, graphs_of.Graph] = {}
        try:
            # what is wrong with the arguments is raised here; what else goes wrong is one warning
            target = settings.resolve(base_url, api_key)
            check_texts(tag=tag, project=project, group=group)
            check_params(params, "params")
            check_params(data, "data")
            self._max_iter = checked_max_iter(max_iter)
            self._info = checked_info(info)
            self._tags = checked_tags(tags)
            self._placer = Placer(self.graph, checked_places(graphs))
            self._after_x = checked_rewind(resume, from_x)
            self._project, self._group, self._is_resumed = project, group, resume is not None
            self.tag = tag if tag is not None or resume else git.default_tag(track_git)
            self.id = self.session_id = resume or self.id or new_id()
            self.base_url = target.base_url
            self.url = f"{target.base_url}/s/{self.id}" if settings.mode() != "disabled" else ""
            self.params = Params({**(data or {}), **(params or {})}, self._put)
        except (TypeError, ValueError):
            raise
        except Exception as error:
            self.id = self.session_id = self.id or os.urandom(10).hex()
            say_error("starting a session", error)
        else:
            self._begin(target, console=console, system=system, track_git=track_git, command_line=command_line)

    @guarded("starting a session")
    def _begin(self, target: settings.Target, **companions: bool) -> None:
        mode, self._is_copy = settings.mode(), fork.is_reimport()
        if mode == "disabled":
            return
        bound = settings.journal_bound()
        outbox = Outbox(self.id, target, journal_folders(), mode == "online", bound, self._opening)
        self._outbox = self._placer.outbox = outbox
        self._companions = Companions(self, outbox)
        display.attend(self, outbox)
        if self._is_copy:  # it begins with its first point
            return
        outbox.attend()
        self._companions.start(**companions)
        say(start_message.start_line(self, mode, outbox.online))

    @property
    def max_iter(self) -> int | None:
        """Number of x values expected; may be set when it becomes known."""
        return self._max_iter

    @max_iter.setter
    @guarded("setting max_iter")
    def max_iter(self, value: int | None) -> None:
        try:
            self._max_iter = checked_max_iter(value)
        except (TypeError, ValueError) as error:
            say_once(("max_iter", self.id), f"{error}; passed over")
            return
        if value is not None:
            self._put(session_record(max_iter=self._max_iter))

    def graph(
        self,
        title: str = "",
        xlabel: str = "",
        ylabel: str = "",
        kind: str | None = None,
        display_interval: int | None = None,
    ) -> graphs_of.Graph:
        """A graph of this session; the same title gives the same Graph.

        Args:
            title: what stands above it.
            xlabel, ylabel: what stands at its axes.
            kind: 'min' or 'max': the statistic of each quantity that the session table shows.
            display_interval: send every Nth point of each set of names only; else every point is sent.

        Example:
            >>> accuracy = session.graph("accuracy", xlabel="step", kind="max")
        """
        graph = self._known_or_new(title, xlabel, ylabel, kind, display_interval)
        return graph if graph is not None else graphs_of.nowhere(title)

    Graph = graph

    @guarded("making a graph")
    def _known_or_new(self, title: Any, *options: Any) -> graphs_of.Graph | None:
        title = safely(plain_name, title, "")
        known = self._graphs.get(title)
        if known is not None:
            return known
        outbox = self._outbox if self._outbox and not self._outbox.closed else None
        graph = graphs_of.made(outbox, self.id, title, *options)
        self._put(graph.record())
        graph = self._graphs.setdefault(title, graph)
        if outbox is not None and graph not in outbox.graphs:
            outbox.graphs.append(graph)
        return graph

    @guarded("making an image sequence", default=ImageSequence(None, 0, ""))
    def image_sequence(self, x: int, name: str) -> ImageSequence:
        """Images that belong to one x, such as predictions after an epoch.

        Args:
            x: a whole number, such as the step.
            name: what the sequence is called; the same name at another x is its next step.

        Example:
            >>> session.image_sequence(3, "validation").append(image, "cat.png", {"class": "cat"}, {"p": 0.93})
        """
        return ImageSequence(self._companions.images if self._companions is not None else None, x, name)

    def log(self, metrics: Mapping[str, Any], x: int | float | None = None) -> None:
        """Add values to the graphs on which their names belong; see `losswise.naming`.

        Args:
            metrics: values by name, as in `Graph.append`.
            x: a whole number; left out, one more than that of the last `log`.

        Example:
            >>> session.log({"train_loss": 0.31, "val_accuracy": 0.92}, x=17)
        """
        try:  # what `guarded` does, without its call: this runs at each step
            self._placer.append(metrics, x)
        except Exception as error:
            say_error("logging", error)

    @guarded("setting values")
    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set cells of the session table.

        Args:
            values: any JSON, by column name.

        Example:
            >>> session.set_values({"best epoch": 12, "checkpoint": "s3://models/12.pt"})
        """
        if not isinstance(values, Mapping):
            return say_once("values", f"set_values takes a dictionary, not {values!r:.60}; skipped")
        self._put(values_record({plain_name(name): snapshot(value) for name, value in values.items()}))

    @guarded("keeping a text")
    def text(self, name: str, text: str, x: int | None = None) -> None:
        """Keep a text (markdown) with the session; the same name and x replaces it.

        Args:
            name: what it is, such as "model summary".
            text: at most a million characters; longer ones are cut, with a note.
            x: the step that it belongs to, or None.
        """
        whole = to_x(x) if x is not None else None
        self._put(text_record(plain_name(name), plain_text(str(text), MAX_TEXT), whole))

    @guarded("flushing", default=False)
    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the server has everything so far.

        Args:
            timeout: seconds.

        Returns:
            True where all of it is acknowledged. Offline it is False, though it stands on the disk.
        """
        if self._outbox is None:
            return True
        deadline = time.monotonic() + timeout
        if self._companions is not None:
            self._companions.images.wait(timeout)
        return self._outbox.flush(deadline - time.monotonic())

    @guarded("ending a session")
    def done(
        self,
        status: str = "complete",
        reason: str | None = None,
        error: BaseException | Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """End the session and wait until everything is delivered, while the server takes it.

        Gives up after 10 s without an acknowledgement (2 s where nobody listens), or by Ctrl-C, and says what is
        left; that stays on the disk and `losswise sync` sends it. What is appended afterwards opens the session
        again.

        Args:
            status: 'complete', 'failed' or 'cancelled'.
            reason: a word, such as 'error' or 'interrupted'.
            error: what it failed with.
            timeout: seconds without an acknowledgement after which to give up; else LW_END_TIMEOUT, else 10.
        """
        if status not in ENDED:
            say(f"a session ends as {', '.join(ENDED)}, not {status!r}; taken as complete")
            status = "complete"
        open_sessions.end(self, (status, reason, error), settings.end_timeout() if timeout is None else timeout)

    def _close(
        self, status: str, reason: str | None, error: Any, begun: float | None = None, most: float = math.inf
    ) -> Scribe | None:
        """Write down how it ended, without waiting for the delivery. None: it had ended before."""
        outbox = self._outbox
        if outbox is None or not outbox.open:
            self.status = status if outbox is None else self.status
            return None
        if self._companions is not None:
            self._companions.finish(time.monotonic() if begun is None else begun, most)
        described = described_error(error)
        self.status, self._left_as = status, (status, reason, described)
        return outbox.end(status_record(status, time.time(), reason, described))

    def expect(self, status: str, reason: str | None, error: Mapping[str, str] | None) -> None:
        """What the process's exit shall say of this session, if nothing ends it before and nothing goes wrong."""
        self._left_as = (status, reason, error)

    def __enter__(self) -> Session:
        return self

    @guarded("ending a session")
    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status, reason = outcome.ending_of(error)
        self.done(status, reason, error if status == "failed" else None)

    # what the outbox asks for, and what is put into it

    def _opening(self) -> list[Record]:
        """A writer opens: what its journal begins with."""
        open_sessions.watch(self)
        self.status = "active"
        if self._is_copy:
            say_once("copy", start_message.copy_line(self))
        if self._companions is not None:
            self._companions.go_on()
        display.went_on(self)
        record = session_record(
            project=self._project,
            tag=self.tag,
            group=self._group,
            tags=self._tags,
            params=snapshot(dict(self.params)) or None,
            max_iter=self._max_iter,
            created_at=None if self._is_resumed else self.created_at,
            info=self._info or None,
        )
        rewind = [] if self._after_x is None else [rewind_record(self._after_x, self.created_at)]
        self._after_x = None
        return [record, *rewind, *(graph.record() for graph in list(self._graphs.values()))]

    def _after_fork(self) -> None:
        if self._outbox is not None:
            self._outbox.after_fork()
        if self._companions is not None:
            self._companions.after_fork()

    @guarded("recording")
    def _put(self, record: Record) -> None:
        if self._outbox is not None and not (self._is_copy and fork.is_reimport()):
            self._outbox.put(record)

    @guarded("showing a session", default="")
    def _repr_html_(self) -> str:
        return display.session_html(self)

    def _ipython_display_(self) -> None:
        display.show(self)

    @guarded("showing a session", default="<losswise.Session>")
    def __repr__(self) -> str:
        return display.session_text(self)
