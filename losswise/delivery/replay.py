"""Send journals whose writers have ended: for `losswise sync`, and in the background those of earlier runs."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from losswise.delivery.client import Client
from losswise.delivery.outages import OutageReporter
from losswise.delivery.pacing import DEFAULT_TIMING, Timing
from losswise.delivery.uploader import Step, StepResult, Uploader
from losswise.journal.format import record_line
from losswise.journal.paths import find, is_alive
from losswise.journal.reader import JournalReader
from losswise.protocol.records import status_record
from losswise.util.credentials import Target, load_login
from losswise.util.guard import guarded, guarded_thread
from losswise.util.paths import journal_folders

BACKFILL_BATCH_BYTES = 512 * 1024
MAX_FAILURES = 4  # failed requests in a row after which a replay gives up
EXIT_WAIT_S = 2.0  # how long the process's end waits for the request that is under way

_ending = threading.Event()
_threads: list[threading.Thread] = []  # at most one, also after a fork


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
        elif is_idle:
            return StepResult(Step.IDLE)
        elif not goes_on(result):
            return result or StepResult(Step.RETRY)
        elif (result := uploader.step()).step is Step.DELETED:
            return result


def pause_after(result: StepResult | None, outages: OutageReporter, timing: Timing) -> bool:
    """Pause after a failed request, while somebody waits for a replay. False if more requests make no sense."""
    if result is not None and result.step is Step.RETRY:
        silent = time.monotonic() - outages.last_success_at + result.pause
        has_failed = outages.failures >= MAX_FAILURES and not result.requested
        if result.refused or has_failed or silent > timing.sync_patience:
            return False
        time.sleep(result.pause)
    return True


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


# in the background


@guarded("sending journals of earlier sessions")
def start_backfill(folder: Path, target: Target) -> None:
    """Start to send the journals of dead writers, once in this process. Returns at once.

    `target` is a server that responds. Journals for other addresses are sent there only with a stored login for them.
    """
    if not _threads:
        _threads.append(guarded_thread(Backfill(target, _ending).send_all, "losswise-backfill", folder))
        with contextlib.suppress(RuntimeError):  # the process is at its end
            _threads[0].start()


@guarded("ending the sending of earlier sessions")
def finish_backfill() -> None:
    """At exit: wait for the request that is under way, so that what it sends is deleted here. No other is begun."""
    _ending.set()
    with contextlib.suppress(KeyboardInterrupt):
        if _threads and _threads[0].is_alive():
            _threads[0].join(EXIT_WAIT_S)


class Backfill:
    """One pass over folders of journals. What cannot be sent is left to `losswise sync`, without a line.

    It stops when `ending` is set, since the process ends, but makes at least one request.
    """

    def __init__(self, target: Target, ending: threading.Event, timing: Timing = DEFAULT_TIMING) -> None:
        self._target, self._ending, self._timing = target, ending, timing
        self._unreachable: set[str] = set()
        self._has_sent = False

    def send_all(self, folder: Path) -> None:
        """Send the journals in `folder` and in this user's usual folders."""
        for each in dict.fromkeys([folder, *journal_folders()]):
            for path in find(each):
                if self._has_sent and self._ending.is_set():
                    return
                with contextlib.suppress(OSError, ValueError), contextlib.closing(JournalReader(path)) as reader:
                    self._send(reader)

    def _send(self, reader: JournalReader) -> None:
        """Send one journal if it is of this host, there is a key for it, and its writer is dead.

        It is deleted unless a request fails or the process ends.
        """
        header, paths, address = reader.header, reader.paths, reader.header.base_url
        key = self._target.api_key
        if address != self._target.base_url:  # a key is for exactly one address
            login = load_login()
            key = login.api_key if login is not None and login.base_url == address else None
        if key is None or address in self._unreachable or header.host != socket.gethostname():
            return
        # asked before too: to hold the lock of a running script, even briefly, would mislead `status` and `sync`
        if is_alive(paths, header) or not paths.sending.acquire():
            return
        try:
            # looked for again, since its own script may have sent and deleted it after it was opened here
            if is_alive(paths, header) or not reader.path.exists():
                return
            with contextlib.closing(Client(address, key)) as client:
                uploader = Uploader(reader, client, replay=True, is_muted=True, timing=self._timing)
                uploader.batch_bytes = BACKFILL_BATCH_BYTES
                result = replay(uploader, reader, is_dead=lambda: True, goes_on=self._goes_on)
                if result.step is Step.RETRY and uploader.outages.is_server_lost():
                    self._unreachable.add(address)
            if result.step is Step.DELETED or (result.step is Step.IDLE and reader.is_at_end()):
                reader.close()
                uploader.quarantine.close()
                paths.remove()
        finally:
            paths.sending.release(remove=True)

    def _goes_on(self, result: StepResult | None) -> bool:
        """Pause between two requests. False if one has failed or the process ends."""
        has_failed = result is not None and result.step is Step.RETRY
        if has_failed or (self._has_sent and self._ending.wait(self._timing.backfill_pause)):
            return False
        self._has_sent = True
        return True
