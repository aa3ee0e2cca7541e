"""A real Jupyter kernel: runs cells and keeps what it shows."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

from tests.support.server import clean_environment

SHOWN = ("display_data", "update_display_data", "execute_result")


class Kernel:
    """Started in `folder` with these variables of the environment.

    Attributes:
        shown: the messages that show something, in order: `kind`, `html`, `text` and `id`.
        printed: what the cells and the kernel wrote to stdout and stderr.
    """

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.shown: list[Shown] = []
        self.printed = ""
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(env=environ, cwd=str(folder))
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code: str, fails: bool = False, cell: str | None = None) -> str:
        """Run a cell and wait for its end; what it printed. `cell` is the front end's id of it, if that has ids."""
        before = len(self.printed)
        self._set_cell(cell)
        reply = self._client.execute_interactive(code, output_hook=self._take, timeout=60)
        assert (reply["content"]["status"] == "error") == fails, reply["content"]
        return self.printed[before:]

    def start(self, code: str, cell: str | None = None) -> None:
        """Start a cell and do not wait for it."""
        self._set_cell(cell)
        self._client.execute(code)

    def _set_cell(self, cell: str | None) -> None:
        self._client.session.metadata = {"cellId": cell} if cell else {}

    def listen(self, seconds: float) -> list[Shown]:
        """What is shown within these seconds."""
        before = len(self.shown)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._listen_once(left)
        return self.shown[before:]

    def until(self, check: Callable[[Shown], bool], timeout: float = 20.0) -> Shown:
        """The first that was or is shown of which this holds."""
        deadline = time.monotonic() + timeout
        at = 0
        while True:
            for shown in self.shown[at:]:
                at += 1
                if check(shown):
                    return shown
            assert time.monotonic() < deadline, [shown[:1] + shown[2:] for shown in self.shown]
            self._listen_once(0.2)

    def _listen_once(self, timeout: float) -> None:
        try:
            self._take(self._client.get_iopub_msg(timeout=timeout))
        except queue.Empty:
            return

    def _take(self, message: dict[str, Any]) -> None:
        content, kind = message["content"], message["msg_type"]
        if kind == "stream":
            self.printed += content["text"]
        if kind in SHOWN:
            data = content["data"]
            display_id = content.get("transient", {}).get("display_id")
            self.shown.append((kind, data.get("text/html", ""), data.get("text/plain", ""), display_id))

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


Shown = tuple[str, str, str, "str | None"]
"""Kind of the message, HTML, text, and the id of the display."""


def kernels(folder: Path, home: Path, **environ: str) -> Iterator[Kernel]:
    """One kernel, ended with the test."""
    kernel = Kernel(folder, clean_environment(home, **environ))
    try:
        yield kernel
    finally:
        kernel.close()
