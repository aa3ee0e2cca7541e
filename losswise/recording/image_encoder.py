"""Encode images as PNG on a thread of their own, and hand them to the session's journal writer.

The caller's thread only copies the pixels, so that later changes do not show. Making a PNG takes a hundred times as
long as writing a point, so neither the caller nor the journal writer should wait for it.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from losswise.protocol.records import NOT_FINITE, encode_number, image_record
from losswise.recording.record_queue import EncodedImage
from losswise.util.guard import guarded_thread
from losswise.util.messages import notify, notify_error, notify_once
from losswise.util.polling import wait_until
from losswise.util.unreliable import short
from losswise.values.pixels import ImageCopy
from losswise.values.png import ImageError
from losswise.values.scalars import to_float, to_x

MAX_PIXEL_BYTES = 16 * 1024 * 1024  # memory for pixels at which `add` waits until some are encoded
IDLE_TIMEOUT_S = 5.0  # time without an image after which the thread ends; the next image starts another
POLL_INTERVAL_S = 0.005


class AppendedImage(NamedTuple):
    """An image as it was appended."""

    sequence: str
    x: Any
    image_id: str
    pixels: ImageCopy
    outputs: dict[str, Any]
    metrics: dict[str, Any]


class ImageEncoder:
    """Encodes images in the background, in the order in which they were added.

    Args:
        put: takes an encoded image, such as `Recorder.put_image`. Returns False if there is no room for it now; it is
            then called again.
        begin: opens a session that has ended. Called by `add`, so that an end that follows at once includes the image.
    """

    def __init__(self, put: Callable[[EncodedImage], bool], begin: Callable[[], None] = lambda: None) -> None:
        self._put = put
        self._begin = begin
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: discard the images that the parent records."""
        self._queue: queue.SimpleQueue[AppendedImage] = queue.SimpleQueue()
        self._lock = threading.RLock()  # reentrant: a signal handler may interrupt `add` and add an image too
        self._thread: threading.Thread | None = None
        self._pixel_bytes = 0
        self._added = self._done = self._dropped = 0  # numbers of the last image added, done, dropped; 0 before

    # the caller's thread

    def add(self, image: AppendedImage) -> None:
        """Add an image. Waits while too many are in memory; one that is larger than the limit is taken alone."""
        size = image.pixels.size
        while self._pixel_bytes and self._pixel_bytes + size > MAX_PIXEL_BYTES:
            notify_once(
                "images full",
                "images come faster than they can be encoded, so `append` waits for that; fewer or smaller ones help",
            )
            time.sleep(POLL_INTERVAL_S)
        with self._lock:
            if self._thread is None:
                thread = guarded_thread(self._run, "losswise-images")
                thread.start()
                self._thread = thread
            self._added += 1
            self._pixel_bytes += size
            self._queue.put(image)
        self._begin()

    def wait(self, timeout: float) -> bool:
        """Wait until the images added before this call are encoded and put. Returns False if not in time."""
        added = self._added
        return wait_until(lambda: self._done >= added, timeout)

    def drop(self) -> None:
        """Give up the images that are not put yet, and print how many: the session has ended."""
        left = self._added - self._done
        self._dropped = self._added
        if left:
            notify(f"{left} images were not encoded in time, and are lost")

    # the encoder's thread

    def _run(self) -> None:
        while True:
            try:
                image = self._queue.get(timeout=IDLE_TIMEOUT_S)
            except queue.Empty:
                with self._lock:
                    if self._queue.empty():
                        self._thread = None
                        return
                continue
            number = self._done + 1
            try:
                self._encode(image, number)
            except ImageError as error:
                report_ignored_image(image.sequence, image.image_id, str(error))
            except BaseException as error:  # whatever reading a tensor raises: the thread has more to do
                notify_error(f"recording an image of {image.sequence!r}", error)
            finally:
                with self._lock:
                    self._pixel_bytes -= image.pixels.size
                    self._done = number
                del image  # it would stay in memory until the next one comes

    def _encode(self, image: AppendedImage, number: int) -> None:
        if number <= self._dropped:
            return
        x = to_x(image.x)
        if x is None:
            notify_once(
                ("image x", image.sequence),
                f"images {image.sequence!r}: x must be a whole number of 64 bits, not {short(image.x)}; ignored",
            )
            return
        data, width, height = image.pixels.png()
        sha256 = hashlib.sha256(data).hexdigest()
        numbers = {name: _number(value) for name, value in image.metrics.items()}
        metrics = {name: value for name, value in numbers.items() if value is not None}
        others = {name: value for name, value in image.metrics.items() if name not in metrics}
        outputs = {**others, **image.outputs}
        encoded = EncodedImage(
            image_record(image.sequence, x, image.image_id, sha256, width, height, outputs, metrics), data
        )
        while number > self._dropped and not self._put(encoded):
            time.sleep(POLL_INTERVAL_S)


def _number(value: Any) -> int | float | str | None:
    """Return a value of `snapshot` as the number in an image's metrics; None if it is none."""
    if isinstance(value, int) or (isinstance(value, str) and value in NOT_FINITE):
        return value
    number = to_float(value)
    return None if number is None else encode_number(number)


def report_ignored_image(sequence: str, image_id: str, problem: str) -> None:
    """Print, once for each sequence, why an image is not recorded."""
    notify_once(("image", sequence), f"images {sequence!r}: {image_id!r:.60} is ignored: {problem}")
