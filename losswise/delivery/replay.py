"""Send a journal whose writer has ended or is not sending: for `losswise sync`, and for journals of earlier runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from losswise.delivery.outages import OutageReporter
from losswise.delivery.uploader import Step, StepResult, Uploader
from losswise.journal.format import record_line
from losswise.journal.reader import JournalReader
from losswise.protocol.records import status_record
from losswise.util.guard import guarded_thread


def replay(
    uploader: Uploader, reader: JournalReader, is_dead: Callable[[], bool], goes_on: Callable[[StepResult | None], bool]
) -> StepResult:
    """Send a journal until nothing is left.

    Args:
        is_dead: whether the writer will add nothing more. Then the record of a crash is added if one is missing.
        goes_on: called before each request with the result of the last one (at first None). It pauses as it should,
            and returns False to stop.

    Returns:
        The last result: IDLE if everything was sent, DELETED if the session was deleted, else that of the request
        after which `goes_on` returned False.
    """
    is_ended = False
    result: StepResult | None = None
    while True:
        is_idle = uploader.is_idle()
        if not is_ended and reader.is_at_end() and is_dead():  # before the last batch, to go with it
            is_ended = True
            uploader.add(_crash_record(reader))
            continue
        if is_idle:
            return StepResult(Step.IDLE)
        if not goes_on(result):
            return result or StepResult(Step.RETRY)
        result = uploader.step()
        if result.step is Step.DELETED:
            return result


def _crash_record(reader: JournalReader) -> list[bytes]:
    """The end record of a crashed writer, as a line; none if its journal, read to the end, has one or is empty.

    Without it, a session that another process has resumed and ended would count as active for another minute.
    """
    if reader.last_line is None or reader.last_line.startswith(b'{"type":"status"'):
        return []
    with contextlib.suppress(OSError):
        return [record_line(status_record("cancelled", reader.path.stat().st_mtime, "silent"))]
    return []


@contextlib.contextmanager
def watched(outages: OutageReporter, interval: float) -> Iterator[None]:
    """Tell the user, from another thread, that the server does not respond; look each `interval` seconds."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(interval):
            outages.check_silence()

    with contextlib.suppress(RuntimeError):  # no thread can be started: nothing is printed
        guarded_thread(watch, "losswise-watch").start()
    try:
        yield
    finally:
        ended.set()
