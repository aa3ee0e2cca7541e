"""Start and stop what is recorded beside metrics: environment and git, console output, system metrics, images."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from losswise.capture.environment import collect
from losswise.protocol.records import session_record
from losswise.recording.recorder import Recorder
from losswise.util.guard import guarded, guarded_thread

if TYPE_CHECKING:
    from losswise.recording.image_encoder import ImageEncoder

# how long the end of a session waits for environment and git
ENVIRONMENT_TIMEOUT_S = 2.0
# how long it waits for images that are still being encoded
IMAGES_TIMEOUT_S = 10.0


class Collectors:
    """The collectors of one session. `make_graph` is its method `graph`."""

    def __init__(self, make_graph: Callable[..., Any], recorder: Recorder) -> None:
        recorder.queue.on_close = self.close
        self._make_graph = make_graph
        self._recorder = recorder
        self._is_child = False
        self._environment: threading.Thread | None = None
        self._capturing: dict[str, Any] = {}  # a Console and a SystemMonitor
        self._images: ImageEncoder | None = None

    @guarded("starting to collect console output and environment")
    def start(self, console: bool, system: bool, track_git: bool, command_line: bool) -> None:
        """Start the collectors that the session asks for."""
        # on a thread, since git is slow in a large repository
        thread = guarded_thread(self._collect_environment, "losswise-environment", track_git, command_line)
        thread.start()
        self._environment = thread
        if console:
            from losswise.capture.console import Console

            self._capturing["console"] = source = Console(self._wake)
            self._recorder.queue.sources.append(source)
        if system:
            from losswise.capture.system import SystemMonitor

            self._capturing["system"] = SystemMonitor(self._make_graph, lambda: self._recorder.queue.last_x)
        self.resume()

    @property
    def images(self) -> ImageEncoder:
        """The encoder of the session's images, created on first use, since few sessions have images."""
        if self._images is None:
            from losswise.recording.image_encoder import ImageEncoder

            self._images = ImageEncoder(self._recorder.put_image, self._recorder.start_or_wake)
        return self._images

    @guarded("collecting console output and system metrics again")
    def resume(self) -> None:
        """Start console output and system metrics, also when a session that had ended is active again."""
        for capturing in self._capturing.values():
            capturing.start()

    def wait_for_images(self, timeout: float) -> None:
        """Wait until the images added so far are recorded, at most `timeout` seconds."""
        if self._images is not None:
            self._images.wait(timeout)

    @guarded("ending what is collected beside the metrics")
    def finish(self, begun: float, budget: float) -> None:
        """Stop, and wait for what is still being collected. Called before the session's last record.

        Args:
            begun: when the end began (time.monotonic), the same for all sessions that end together.
            budget: seconds since then, for everything.
        """
        if self._environment is not None:
            self._environment.join(max(0.0, begun + min(ENVIRONMENT_TIMEOUT_S, budget) - time.monotonic()))
        if self._images is not None and not self._images.wait(begun + min(IMAGES_TIMEOUT_S, budget) - time.monotonic()):
            self._images.drop()
        self.close()

    def after_fork(self) -> None:
        """In a forked child: leave what the parent has begun to the parent."""
        self._is_child = True
        self._capturing.pop("system", None)  # the parent goes on sampling
        if "console" in self._capturing:
            self._capturing["console"].after_fork()
        if self._images is not None:
            self._images.after_fork()

    def close(self) -> None:
        """Stop console output and system metrics."""
        for capturing in self._capturing.values():
            capturing.stop()

    def _wake(self) -> None:
        if self._is_child and not self._recorder.open:
            return  # a data loader's worker that only prints opens no journal
        if self._recorder.queue.needs_attention:
            self._recorder.start_or_wake()

    def _collect_environment(self, track_git: bool, command_line: bool) -> None:
        for fields in collect(track_git, command_line):
            if self._recorder.open:
                self._recorder.put(session_record(**fields))
