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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from losswise.arguments import safely
from losswise.guard import guarded, guarded_thread
from losswise.messages import say, say_error, say_once
from losswise.numeric import keep, to_x
from losswise.pixels import Copied, copied
from losswise.plain import name as plain_name
from losswise.plain import snapshot
from losswise.png import ImageError
from losswise.records import Record, image_record

FULL = 16 * 1024 * 1024
"""Bytes of pixels in memory at which `append` waits until some are encoded."""
IDLE = 5.0
"""Seconds without an image after which the thread ends, until the next one."""
REMEMBERED = 10_000
"""Files that are known to be written, so that the same image is written once."""


class ImageSequence:
    """Images that belong together at one x. Made by `Session.image_sequence`, not by hand.

    Attributes:
        name: what the sequence is called; the same name at other x is the same sequence, over time.

    Example:
        >>> sequence = session.image_sequence(x=step, name="predictions")
        >>> sequence.append(image, "sample 7", outputs={"class": "cat"}, metrics={"loss": 0.31})
    """

    def __init__(self, images: ImageThread | None, x: Any, name: str) -> None:
        self._images = images
        self.name = safely(plain_name, name, "")
        self._x = keep(x)

    @guarded("adding an image")
    def append(
        self,
        image: Any,
        image_id: str,
        outputs: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an image. Copies its pixels, never waits for the network or an accelerator, and never raises.

        Where images come faster than they can be encoded it waits for that, with one warning. A Matplotlib
        figure is drawn before this returns, since Matplotlib draws on one thread at a time; that, and the
        import of Pillow with the first image, take tens of milliseconds.

        Args:
            image: a Pillow image; an array or tensor of shape (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4
                channels (Torch's are channels first, others channels last); a Matplotlib figure; or a PNG,
                JPEG, GIF or WebP as bytes or as the path of a file. See `losswise.pixels.copied` for how
                numbers become pixels. What is larger than 8 MiB as PNG is scaled down, with one warning;
                what is no image is skipped, with one warning.
            image_id: what tells this image from the sequence's others, such as the sample's number.
            outputs: what the model said, any JSON by name.
            metrics: how good that is, numbers by name.

        Example:
            >>> sequence.append(batch[0], "0", {"class": "cat"}, {"loss": 0.31})
        """
        if self._images is None:
            return
        told = ""
        try:
            told = plain_name(image_id)
            shown = _Shown(
                self.name,
                self._x,
                told,
                copied(image),
                self._mapping("outputs", outputs),
                self._mapping("metrics", metrics),
            )
            self._images.add(shown)
        except ImageError as error:
            _say_skipped(self.name, told, error)

    def _mapping(self, what: str, given: Any) -> dict[str, Any]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            say_once(
                ("image", what, self.name),
                f"images {self.name!r}: {what} takes a dictionary, not {given!r:.60}; left out",
            )
            return {}
        taken: dict[str, Any] = snapshot(given)
        return taken

    def __repr__(self) -> str:
        return f"<losswise.ImageSequence {self.name!r}>"


@dataclass(frozen=True)
class _Shown:
    """An image as it was appended."""

    sequence: str
    x: Any
    image_id: str
    pixels: Copied
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
        self._queue: queue.SimpleQueue[_Shown] = queue.SimpleQueue()
        self._lock = threading.RLock()  # a signal handler may come here in the middle of an append
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._added = self._done = self._dropped = 0
        self._written: dict[tuple[Path, str], None] = {}

    def after_fork(self) -> None:
        """In a forked child: the parent records what it has; what the child adds gets a thread of its own."""
        self._reset()

    # the caller's thread

    def add(self, shown: _Shown) -> None:
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
                _say_skipped(shown.sequence, shown.image_id, error)
            except Exception as error:
                say_error(f"recording an image of {shown.sequence!r}", error)
            finally:
                with self._lock:
                    self._waiting -= shown.pixels.size
                    self._done = number
                del shown  # it would stay in memory until the next one comes

    def _record(self, shown: _Shown, number: int) -> None:
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


def _say_skipped(sequence: str, image_id: str, error: ImageError) -> None:
    say_once(("image", sequence), f"images {sequence!r}: {image_id!r:.60} is skipped: {error}")
