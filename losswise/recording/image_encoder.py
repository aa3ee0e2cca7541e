"""Images of a session, such as predictions on a few samples, step by step.

The caller's thread copies the pixels; a thread of its own makes files of them, since that takes a hundred
times as long as writing points, which the journal thread must not be kept from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from losswise.protocol.records import Record, image_record
from losswise.util.guard import guarded_thread
from losswise.util.messages import say, say_error, say_once
from losswise.values.pixels import ImageCopy
from losswise.values.png import ImageError
from losswise.values.scalars import to_x

FULL = 16 * 1024 * 1024
"""Bytes of pixels in memory at which `append` waits until some are encoded."""
IDLE = 5.0
"""Seconds without an image after which the thread ends, until the next one."""
REMEMBERED = 10_000
"""Files that are known to be written, so that the same image is written once."""


@dataclass(frozen=True)
class AppendedImage:
    """An image as it was appended."""

    sequence: str
    x: Any
    image_id: str
    pixels: ImageCopy
    outputs: dict[str, Any]
    metrics: dict[str, Any]


class ImageThread:
    """Makes files and records of a session's images, behind the caller.

    Args:
        put: takes a finished image record to the journal; the bytes are on the disk by then.
        folder: where the bytes go, named by their SHA-256; None where nothing can be recorded. Called on the
            thread, before each image.
        begin: opens a session that has ended, called by `add`: an end that follows at once has something to end.
    """

    def __init__(
        self,
        put: Callable[[Record], None],
        folder: Callable[[], Path | None],
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._put = put
        self._folder = folder
        self._begin = begin
        self._reset()

    def _reset(self) -> None:
        self._queue: queue.SimpleQueue[AppendedImage] = queue.SimpleQueue()
        self._lock = threading.RLock()  # a signal handler may come here in the middle of an append
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._added = self._done = self._dropped = 0
        self._written: dict[tuple[Path, str], None] = {}

    def after_fork(self) -> None:
        """In a forked child: the parent records what it has; what the child adds gets a thread of its own."""
        self._reset()

    # the caller's thread

    def add(self, shown: AppendedImage) -> None:
        """Have this image recorded. Waits while too many are in memory; a large one goes alone."""
        size = shown.pixels.size
        while self._waiting and self._waiting + size > FULL:
            say_once(
                "images full",
                "images come faster than they can be encoded, so `append` waits for that; fewer or smaller ones help",
            )
            time.sleep(0.005)
        with self._lock:
            if self._thread is None:
                thread = guarded_thread(self._run, "losswise-images")
                thread.start()
                self._thread = thread
            self._added += 1
            self._waiting += size
            self._queue.put(shown)
        self._begin()

    def wait(self, timeout: float) -> bool:
        """Wait until the images that were added before this call are recorded. False: not in time."""
        added = self._added
        deadline = time.monotonic() + timeout
        while self._done < added:  # polled, since a signal handler in the middle must be able to wait, too
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)
        return True

    def drop(self) -> None:
        """Give up the images that are not recorded yet, and say how many: the session has ended."""
        left = self._added - self._done
        self._dropped = self._added
        if left:
            say(f"{left} images were not encoded in time, and are lost")

    # the thread behind

    def _run(self) -> None:
        while True:
            try:
                shown = self._queue.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    if self._queue.empty():
                        self._thread = None
                        return
                continue
            number = self._done + 1
            try:
                if number > self._dropped:
                    self._record(shown, number)
            except ImageError as error:
                report_ignored_image(shown.sequence, shown.image_id, error)
            except Exception as error:
                say_error(f"recording an image of {shown.sequence!r}", error)
            finally:
                with self._lock:
                    self._waiting -= shown.pixels.size
                    self._done = number
                del shown  # it would stay in memory until the next one comes

    def _record(self, shown: AppendedImage, number: int) -> None:
        x = to_x(shown.x)
        if x is None:
            say_once(
                ("image x", shown.sequence),
                f"images {shown.sequence!r}: x must be a whole number of 64 bits, not {shown.x!r:.60}; skipped",
            )
            return
        folder = self._folder()
        if folder is None:
            return
        data, width, height = shown.pixels.png()
        if number <= self._dropped:
            return
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            self._write(folder, sha256, data)
        except OSError as error:
            say_once(
                ("images disk", folder),
                f"images cannot be written in {folder} ({error}); they are dropped until they can",
            )
            return
        self._put(image_record(shown.sequence, x, shown.image_id, sha256, width, height, shown.outputs, shown.metrics))

    def _write(self, folder: Path, sha256: str, data: bytes) -> None:
        """The whole file under its name, or none. It is not written again after it was sent and removed."""
        if (folder, sha256) in self._written:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(dir=folder, prefix=f"{sha256}-", suffix=".part")  # with mode 600
        try:
            with open(number, "wb") as file:
                file.write(data)
            os.replace(part, folder / sha256)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        if len(self._written) >= REMEMBERED:
            del self._written[next(iter(self._written))]
        self._written[folder, sha256] = None


def report_ignored_image(sequence: str, image_id: str, error: ImageError) -> None:
    say_once(("image", sequence), f"images {sequence!r}: {image_id!r:.60} is skipped: {error}")
