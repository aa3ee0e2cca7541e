"""Session: one training run, from its start to how it ended."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from losswise import arguments, settings
from losswise import graph as graph_module
from losswise.capture import git
from losswise.capture.collectors import Collectors
from losswise.lifecycle import exit_hooks, open_sessions, reimport
from losswise.lifecycle.open_sessions import OpenSession
from losswise.lifecycle.outcome import Outcome, outcome_of
from losswise.params import Params
from losswise.protocol.limits import ENDED, MAX_GRAPHS, MAX_NAMES, MAX_TEXT_LENGTH
from losswise.protocol.records import Record, new_id, rewind_record, session_record, text_record, values_record
from losswise.recording.record_queue import CLOSED_QUEUE
from losswise.recording.recorder import Recorder
from losswise.session_display import SessionDisplay
from losswise.session_training import SessionTraining
from losswise.util.credentials import Target
from losswise.util.guard import guarded
from losswise.util.messages import notify, notify_error, notify_once
from losswise.util.uncopyable import Uncopyable
from losswise.util.unreliable import is_a, short
from losswise.values.containers import to_dict
from losswise.values.jsonable import snapshot_items
from losswise.values.scalars import to_x
from losswise.values.texts import describe, one_of, to_name

if TYPE_CHECKING:
    from losswise.image_sequence import ImageSequence
    from losswise.naming import GraphChoice
    from losswise.recording.metric_router import MetricRouter


class Session(SessionDisplay, SessionTraining, Uncopyable):
    """One training run: its graphs, params, values, and how it ended.

    Create it before the training. What is recorded goes to a journal on the local disk, and from there to the server
    by a background thread. Only `done` and `flush` wait for the network, and only this constructor raises. In a
    notebook the last line of a cell shows the session, live; a cell that runs again ends the session it made before.

    Args:
        tag: name of the session; default BUILDKITE_BRANCH, else the git branch, else 'default'.
        max_iter: number of x values expected, for progress and the estimated completion.
        params: what the run was started with, nested as you like; columns of the session table.
        track_git: record branch, remote, commit and diff (at most 1 MiB) of the git repository.
        info: notes, name to markdown.
        project: name of the project; default the key's own.
        group: sessions of one group belong together, such as the folds of a cross-validation.
        tags: words to filter by.
        resume: id of a session to continue; a message says so if the server has no such session.
        from_x: with `resume`, the x of the next point; points at and after it are removed.
        api_key, base_url: the API key and the server's address; default as described in `losswise.settings`.
        command_line: record the command line.
        graphs: your own choice of graphs for names in `log`: {"my_score": ("quality", "max")}.
        console: record what is printed (stdout and stderr; progress bars in their last state), at most 1 MiB.
        system: add graphs of CPU, memory and GPU, sampled every 10 s. Needs `pip install 'losswise[system]'`.
        data: `params` in early releases.

    Raises:
        TypeError, ValueError: an argument is invalid.

    Attributes:
        id, session_id: 20 hex digits, made here.
        tag: the name; None if resumed.
        url: the session's page, known before anything is sent; "" with LW_MODE=disabled.
        status: 'active', then how it ended.

    Example:
        >>> import losswise
        >>> with losswise.Session("small net", max_iter=100, params={"rate": 0.1}) as session:
        ...     graph = session.graph("loss", kind="min")
        ...     for step in range(100):
        ...         graph.append(step, {"train_loss": 1.0 / (step + 1)})
    """

    session_id: str = ""
    _collectors: Collectors | None = None
    _open_session: OpenSession | None = None
    _router: MetricRouter | None = None

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
        self._graphs: dict[str, graph_module.Graph] = {}
        self._queue = CLOSED_QUEUE
        self._chosen_graphs: Mapping[str, GraphChoice] = {}
        try:
            # invalid arguments are raised here; whatever else goes wrong is one warning
            target = settings.resolve(base_url, api_key)
            arguments.check_texts(tag=tag, project=project, group=group)
            arguments.check_params(params=params, data=data)
            self._max_iter = arguments.checked_max_iter(max_iter)
            self._fields = {
                "project": None if project is None else to_name(project),
                "group": None if group is None else to_name(group),
                "tags": arguments.checked_tags(tags),
                "info": arguments.checked_info(info) or None,
                "created_at": None if resume is not None else self.created_at,
            }
            self._chosen_graphs = arguments.checked_graphs(graphs)
            self._after_x = arguments.checked_rewind(resume, from_x)
            self._is_resumed = resume is not None
            self.tag = tag if tag is not None or resume else git.default_tag(track_git)
            self.id = self.session_id = resume or self.id or new_id()
            self.base_url = target.base_url
            self.url = f"{target.base_url}/s/{self.id}" if settings.mode() != "disabled" else ""
            self.params = Params({**to_dict(data), **to_dict(params)}, self._put)
        except (TypeError, ValueError):
            raise
        except Exception as error:
            self.id = self.session_id = self.id or os.urandom(10).hex()
            notify_error("starting a session", error)
        else:
            self._begin(target, console=console, system=system, track_git=track_git, command_line=command_line)

    @guarded("starting a session")
    def _begin(self, target: Target, **collect: bool) -> None:
        if (mode := settings.mode()) == "disabled":
            return
        if reimport.is_reimport():
            # the parent has made the real session; one of each worker would be an empty row in the table
            self._queue = reimport.queue_of_reimport()
            return
        recorder = Recorder(self.id, target, self._opening_records)
        self._recorder, self._queue = recorder, recorder.queue
        self._collectors = collectors = Collectors(self.graph, recorder)
        self._open_session = OpenSession(recorder, collectors.finish, self._set_status, collectors.after_fork)
        if "IPython" in sys.modules:
            self._start_in_notebook(self.done)
        recorder.start_or_wake()
        collectors.start(**collect)
        notify(self._start_message(mode, recorder.online))

    @property
    def max_iter(self) -> int | None:
        """Number of x values expected; may be set when it becomes known."""
        return self._max_iter

    @max_iter.setter
    @guarded("setting max_iter")
    def max_iter(self, value: int | None) -> None:
        try:
            self._max_iter = arguments.checked_max_iter(value)
        except (TypeError, ValueError) as error:
            return notify_once(("max_iter", self.id), f"{error}; ignored")
        if value is not None:
            self._put(session_record(max_iter=self._max_iter))

    @guarded("creating a graph", default=graph_module.DISCONNECTED)
    def graph(
        self,
        title: str = "",
        xlabel: str = "",
        ylabel: str = "",
        kind: str | None = None,
        display_interval: int | None = None,
    ) -> graph_module.Graph:
        """Return the graph with this title, creating it on first use.

        Args:
            title: shown above the graph.
            xlabel, ylabel: labels of the axes.
            kind: 'min' or 'max': the statistic of each quantity that the session table shows.
            display_interval: send only every Nth point of each set of names; default every point.

        Example:
            >>> accuracy = session.graph("accuracy", xlabel="step", kind="max")
        """
        title = to_name(title)
        if (known := self._graphs.get(title)) is not None:
            return known
        queue = self._queue
        is_excess = len(self._graphs) + queue.further_graphs >= MAX_GRAPHS
        buffer = queue.excess if is_excess else None
        graph = graph_module.Graph(queue, self.id, title, xlabel, ylabel, kind, display_interval, buffer)
        if is_excess:
            queue.add_graph(graph.buffer)
            return graph
        self._put(graph.record())
        graph = self._graphs.setdefault(title, graph)  # another thread may have been faster
        queue.add_graph(graph.buffer)
        return graph

    Graph = graph

    def image_sequence(self, x: int, name: str) -> ImageSequence:
        """Return a sequence of images that belong to one x, such as predictions after an epoch.

        The same name at another x, a whole number such as the step, is the sequence's next step.

        Example:
            >>> session.image_sequence(3, "validation").append(image, "cat.png", {"class": "cat"}, {"p": 0.93})
        """
        from losswise.image_sequence import DISCONNECTED, ImageSequence

        try:
            if self._queue.needs_attention and self._collectors is None:
                self._queue.start_or_wake()
            return ImageSequence(self._collectors.images if self._collectors is not None else None, x, name)
        except Exception as error:
            notify_error("creating an image sequence", error)
            return DISCONNECTED

    def log(self, metrics: Mapping[str, Any], x: int | float | None = None) -> None:
        """Add values to the graphs that their names belong to; see `losswise.naming`.

        Args:
            metrics: values by name, as in `Graph.append`.
            x: as in `Graph.append`; default the whole number after the x of the last `log`.

        Example:
            >>> session.log({"train_loss": 0.31, "val_accuracy": 0.92}, x=17)
        """
        try:  # what `guarded` does, without its call: this runs at each step
            (self._router or self._make_router()).append(metrics, x)
        except Exception as error:
            notify_error("logging", error)

    def _make_router(self) -> MetricRouter:
        from losswise.recording.metric_router import MetricRouter

        router = MetricRouter(self._queue, self.graph, self._chosen_graphs)
        return self.__dict__.setdefault("_router", router)  # another thread may have been faster

    @guarded("setting values")
    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set cells of the session table.

        Args:
            values: any JSON, by column name.

        Example:
            >>> session.set_values({"best epoch": 12, "checkpoint": "s3://models/12.pt"})
        """
        if not is_a(values, Mapping):
            return notify_once("values", f"set_values takes a dictionary, not {short(values)}; ignored")
        plain = list(snapshot_items(values).items())
        for start in range(0, len(plain), MAX_NAMES):  # of one record
            self._put(values_record(dict(plain[start : start + MAX_NAMES])))

    @guarded("recording a text")
    def text(self, name: str, text: str, x: int | None = None) -> None:
        """Record a text (markdown); the same name and x replaces it.

        Args:
            name: such as "model summary".
            text: at most a million characters; a longer one is cut, with a note.
            x: the step that it belongs to, or None.
        """
        at = to_x(x)
        if x is not None and at is None:
            notify_once(("text", self.id), f"texts: x must be a whole number of 64 bits, not {short(x)}; left out")
        self._put(text_record(to_name(name), describe(text, MAX_TEXT_LENGTH), at))

    @guarded("flushing", default=False)
    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the server has everything recorded so far, at most `timeout` seconds.

        Returns:
            Whether all of it is acknowledged. Offline this is False, even though it is on the disk.
        """
        if self._recorder is None or self._collectors is None:
            return not self.url or not self._queue.closed  # with LW_MODE=disabled there is nothing to wait for
        deadline = time.monotonic() + timeout
        self._collectors.wait_for_images(timeout)
        return self._recorder.flush(deadline - time.monotonic())

    @guarded("ending a session")
    def done(
        self,
        status: str = "complete",
        reason: str | None = None,
        error: BaseException | Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """End the session and wait until everything is delivered, as long as the server acknowledges.

        Gives up after 10 s without an acknowledgement (2 s if the server refuses connections), or on Ctrl-C. What is
        left stays on the disk and `losswise sync` sends it. Appending a point later opens the session again.

        Args:
            status: 'complete', 'failed' or 'cancelled'.
            reason: a word, such as 'error' or 'interrupted'.
            error: the exception that ended the training.
            timeout: seconds without an acknowledgement after which to give up; default LW_END_TIMEOUT, else 10.
        """
        if (known := one_of(status, ENDED)) is None:
            notify(f"the status of a session that ends is {', '.join(ENDED)}, not {short(status)}; taken as complete")
        outcome = Outcome(known or "complete", None if reason is None else to_name(reason), error)
        if self._open_session is None:
            return self._set_status(outcome)
        open_sessions.end(self._open_session, outcome, settings.end_timeout() if timeout is None else timeout)

    def _set_status(self, outcome: Outcome) -> None:
        self.status = outcome.status

    def __enter__(self) -> Session:
        return self

    @guarded("ending a session")
    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done(*outcome_of(error))

    # for integrations, as session_training; see docs/developing/add-an-integration.md

    @property
    def last_x(self) -> int:
        """The x of the last `log`; 0 before the first."""
        return max(0, self._router.next_x - 1) if self._router is not None else 0

    def label_axes(self, labels: Callable[[str], tuple[str, str]]) -> None:
        """Label the axes of the graphs that `log` creates: `labels` returns those of x and y for a metric name."""
        (self._router or self._make_router()).labels = labels

    def expect(self, outcome: Outcome) -> None:
        """Set the outcome that the process's exit records if nothing ends the session before and nothing fails."""
        if self._open_session is not None:
            self._open_session.expected = outcome

    def end_without_waiting(self, outcome: Outcome) -> None:
        """Record the outcome without waiting for the delivery, which the process's exit waits for."""
        if self._open_session is None:
            self._set_status(outcome)
        else:
            self._open_session.end(outcome)

    # called by the recorder and the lifecycle

    def _opening_records(self) -> list[Record]:
        """Return what a new writer's journal begins with: the session, a rewind, all graphs."""
        self.status = "active"
        if self._open_session is not None and self._collectors is not None:
            exit_hooks.watch(self._open_session)
            self._collectors.resume()
        self._follow_in_notebook()
        params = snapshot_items(self.params) or None
        tag = None if self.tag is None else to_name(self.tag)
        record = session_record(tag=tag, params=params, max_iter=self._max_iter, **self._fields)
        rewind = [] if self._after_x is None else [rewind_record(self._after_x, self.created_at)]
        self._after_x = None
        return [record, *rewind, *(graph.record() for graph in list(self._graphs.values()))]

    @guarded("recording")
    def _put(self, record: Record) -> None:
        if self._recorder is not None:
            self._recorder.put(record)
        elif self._queue.needs_attention:
            self._queue.start_or_wake()  # says why nothing is recorded
