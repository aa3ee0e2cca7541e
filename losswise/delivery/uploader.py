"""Upload one journal: build batches, send them, act on the responses.

The live sender and `losswise sync` both use it. Records are sent as they are in the journal, each with its number, so
batches can be cut differently in each attempt and the server still applies each record once.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from losswise.delivery.batches import PLACEHOLDER, batch_body, count_fitting, journal_size, rejected_records
from losswise.delivery.client import Client, Response
from losswise.delivery.opening import SESSION, Opening
from losswise.delivery.outages import UNREADABLE, OutageReporter
from losswise.delivery.pacing import DEFAULT_TIMING, Timing, interval_after, wait_for_process
from losswise.delivery.quarantine import Quarantine
from losswise.journal.format import is_record
from losswise.journal.reader import Damaged, JournalReader
from losswise.protocol.records import is_sha256
from losswise.util.messages import notify, notify_once
from losswise.util.paths import sync_command

# size of a batch in the journal; a point takes 22 bytes at least, so that is below MAX_BATCH_POINTS too
MAX_BATCH_BYTES = 2 * 1024 * 1024
MIN_BATCH_BYTES = 64 * 1024
MAX_GROUP_RECORDS = 10_000  # batches that were halved grow to this many records, then to any number
MAX_MALFORMED = 2  # responses that a request is no JSON, although it is: it may have been damaged on its way
BACKLOG_SHARE = 4  # from a quarter of a batch on, records do not wait for more


class Step(Enum):
    SENT = "sent"
    IDLE = "idle"
    RETRY = "retry"
    DELETED = "deleted"  # the session, on the server: nothing more is to be sent


@dataclass(frozen=True)
class StepResult:
    """What one step led to."""

    step: Step
    pause: float = 0.0  # for RETRY, seconds until the next step
    refused: bool = False  # the connection was refused or the key rejected: waiting does not help
    requested: bool = False  # the server asked for this pause, so it must not be shortened


class Uploader:
    """Sends the records of one journal in order, and tells the server what was set aside.

    Args:
        replay: the journal is sent after the fact, which does not make the session active again.
        is_muted: print nothing about the server and missing data; only what the server rejects is reported.
        outages: where failed requests are counted; one of its own by default.
        await_turn: called before each request; waits until it may start, so many seconds after the last one.
    """

    def __init__(
        self,
        reader: JournalReader,
        client: Client,
        replay: bool = False,
        is_muted: bool = False,
        outages: OutageReporter | None = None,
        await_turn: Callable[[float], None] = wait_for_process,
        timing: Timing = DEFAULT_TIMING,
        quarantine: Quarantine | None = None,
    ) -> None:
        self.acknowledged = reader.number  # number of the last record that the server has, or that was set aside
        self.freed = 0  # bytes of deleted segments and images; the caller may reset it
        self.ahead = 0  # bytes of acknowledged records whose segment still exists
        self._notify = report = (lambda text: None) if is_muted else notify
        self.quarantine = quarantine or Quarantine(reader, report)
        self.outages = outages or OutageReporter(client, report, replay, timing)
        self.batch_bytes = MAX_BATCH_BYTES  # size of a batch in the journal; the caller may lower it
        self._reader, self._client, self._timing = reader, client, timing
        self._replay, self._is_muted, self._await_turn = replay, is_muted, await_turn
        self._interval = timing.min_interval  # from the start of the last request to that of the next batch
        self._read = reader.number  # number of the last record that was read
        self._pending: list[bytes] = []  # read and not acknowledged, from record `acknowledged` + 1 on
        self._group: int | None = None  # most records in a batch, after one was halved
        self._has_fitted = False  # a batch of this size was stored, and none was rejected since
        self._malformed = 0  # responses that a request is no JSON, since a batch was halved
        self._is_corrected = False  # the next batch replaces one that was rejected, or follows half of one
        self._takes_empty = False  # the server takes a batch without records, which it has been asked
        self._opening = Opening(reader, self.quarantine)
        self._needs_opening = False  # the server does not know the session, or graphs that began in a gap
        self._is_opened = False  # it was told of the session, and has acknowledged nothing since
        # first and last number of records that are in no segment; None where that is not known
        self._gap: tuple[int | None, int | None] | None = None
        self._damaged: Path | None = None
        self._is_images_turn = False
        self._unreadable: set[str] = set()

    def is_idle(self) -> bool:
        """Return whether there is nothing to send now."""
        with contextlib.suppress(OSError, Damaged):
            self._fill()
            is_told = not self.quarantine.sums.untold() and not self.quarantine.has_uncounted
            return not self._pending and self._next_image() is None and is_told
        return False

    def step(self) -> StepResult:
        """Send one batch or one image, and act on the response. They take turns, so that neither blocks the other."""
        try:
            self._fill()
            if not self._pending and self.quarantine.has_uncounted:
                self._needs_opening = True  # its response says which of their records the server has
            if self._needs_opening:
                return self._send_opening()
        except (OSError, Damaged) as error:
            return self._handle_unreadable(error)
        image = self._next_image() if self._is_images_turn or not self._pending else None
        self._is_images_turn = image is None
        if image is not None:
            return self._send_image(image)
        return self._send_batch() if self._pending else self._tell_refusals()

    def skip_damaged(self, damaged: list[Damaged]) -> None:
        """Set aside segments before the one that the reader has opened. Raises OSError."""
        for segment in damaged:
            self.quarantine.keep_segment(segment)
        if damaged:
            is_first = damaged[0].path == self._reader.paths.segment(1)
            self._gap, self._needs_opening = (1 if is_first else None, self.acknowledged), True

    def add(self, lines: list[bytes]) -> None:
        """Append records that are in no file."""
        self._pending += [line.rstrip(b"\n") for line in lines]

    def heartbeat(self) -> StepResult:
        """Tell the server that the writer is alive: a batch without records."""
        response = self._post([], None)
        if response.status == 200 and response.body:
            self.outages.succeeded()
            return StepResult(Step.SENT)
        return self._handle_response(response)

    # batches

    def _fill(self) -> None:
        """Read records if none are pending."""
        while not self._pending and (lines := self._reader.read(self.batch_bytes)):
            first = self._reader.number - len(lines) + 1
            if first > self._read + 1:
                self._gap, self._needs_opening = (self._read + 1, first - 1), True
                self.acknowledged = max(self.acknowledged, first - 1)
            self._read = self._reader.number
            known = self.acknowledged + 1 - first
            self.ahead += journal_size(lines[:known])
            self._pending = self._unkept(lines[known:])

    def _unkept(self, lines: list[bytes]) -> list[bytes]:
        """The last lines read, with placeholders for those that an earlier process has put into quarantine."""
        earlier = self.quarantine.earlier
        first = self._reader.number - len(lines) + 1
        return [PLACEHOLDER if number in earlier else line for number, line in enumerate(lines, first)]

    def _send_batch(self) -> StepResult:
        if self._is_corrected:
            self._interval = 0.0
        elif self.outages.failures or journal_size(self._pending) > self.batch_bytes // BACKLOG_SHARE:
            self._interval = self._timing.min_interval
        self._await_turn(self._interval)
        room = self.batch_bytes - journal_size(self._pending)
        # if it is corrected, new records could be rejected too, and hold up the others again
        if room > 0 and not self._is_corrected:
            with contextlib.suppress(OSError):  # what was recorded while the batch waited for its turn
                self._pending += self._unkept(self._reader.read_here(room))
                self._read = self._reader.number
        self._is_corrected = False
        wanted = self._pending[: self._group]
        batch = wanted[: count_fitting(wanted)]
        self._interval = interval_after(batch, self._timing) if batch == wanted else 0.0
        response = self._post(batch, self.acknowledged + len(batch))
        status, code = response.status, response.code
        if status == 200 and isinstance(response.body.get("last"), int):
            return self._acknowledge(response)
        if status in (400, 422) and code == "bad_batch":
            return self._set_aside(batch, rejected_records(response, len(batch)), response)
        if status == 400 and code == "bad_json":
            damaged = {index: response.reason for index, line in enumerate(batch) if not is_record(line)}
            self._malformed += not damaged
            is_certain = damaged or self._malformed > MAX_MALFORMED
            return self._set_aside(batch, damaged, response) if is_certain else self._wait(response)
        if status == 413:
            self.batch_bytes = max(MIN_BATCH_BYTES, self.batch_bytes // 2)
            return self._set_aside(batch, {}, response)
        return self._handle_response(response)

    def _post(self, records: list[bytes], seq: int | None) -> Response:
        """Send records, which are lines of the journal, unchanged. Session and graph records need no `seq`."""
        told = self.quarantine.sums.untold()
        response = self._client.post_batch(batch_body(self._reader.header, self._replay, records, seq, told))
        if response.status == 200 and response.body:
            self.quarantine.sums.mark_told(told)
        return response

    def _tell_refusals(self) -> StepResult:
        """Tell what was set aside if no batch has done so."""
        told = self.quarantine.sums.untold()
        if not told:
            return StepResult(Step.IDLE)
        response = self._post([], None)
        if response.status == 200 and response.body:
            self.outages.succeeded()
        elif response.status in (400, 413, 422):  # not worth more than one attempt
            self.quarantine.sums.mark_told(told)
        else:
            return self._handle_response(response)
        return StepResult(Step.SENT)

    def _acknowledge(self, response: Response) -> StepResult:
        """Forget the records that the response acknowledges."""
        last = response.body["last"]
        if last <= self.acknowledged:  # such as a server restored from a backup: no endless loop
            problem = f"acknowledges nothing new (its last record is {last})"
            return self._wait(response, f"{self._client.base_url} {problem}")
        self.outages.succeeded()
        self._is_opened = False
        with contextlib.suppress(ValueError, AttributeError, RecursionError):
            # only the record of a new session has the time; one that was to be resumed did not exist
            if response.body.get("created") is True and "created_at" not in json.loads(self._pending[0]):
                session = self._reader.header.session
                self._notify(f"there was no session {session} on {self._client.base_url}; a new one was created")
        self._forget_pending(last - self.acknowledged)
        freed = self._reader.forget(last)
        self.freed += freed
        self.ahead = max(0, self.ahead - freed)
        if self._group is None:
            self._takes_empty = False  # ask again when the next record is rejected, which may be in days
        else:
            # the size is kept for what is recorded later; it grows slowly, since among many bad records one is best
            self._group *= 2 if self._has_fitted else 1
            self._has_fitted = not self._has_fitted
            self._is_corrected = bool(self._pending)
            if self._group > MAX_GROUP_RECORDS:
                self._group, self._malformed = None, 0
        return StepResult(Step.SENT)

    def _forget_pending(self, count: int) -> None:
        self.ahead += journal_size(self._pending[:count])
        self._pending = self._pending[count:]
        self.acknowledged += count

    # rejected and damaged data

    def _set_aside(self, batch: list[bytes], rejected: dict[int, str], response: Response) -> StepResult:
        """Move records into quarantine, given by index with the reason; the others are sent at once.

        If none is given, since the batch is too large or an older server names none, it is halved down to one record.
        """
        self._is_corrected, self._has_fitted = True, False
        new = [index for index in sorted(rejected) if batch[index] is not PLACEHOLDER]
        if not new and len(batch) > 1:
            self._group = len(batch) // 2
            return StepResult(Step.SENT)
        if not new and batch[0] is not PLACEHOLDER:
            if not self._takes_empty:  # a response to every request, whatever is in it, is not about this record
                empty = self._post([], None)
                if empty.status not in (200, 404):
                    return self._handle_response(empty)
                self._takes_empty = True
            new, rejected = [0], {0: response.reason}
        if any(batch[index].startswith(SESSION) for index in new):
            self._needs_opening = True  # with a smaller one, before a later session record creates the session
        if new:
            kept = [(self.acknowledged + 1 + index, batch[index], rejected[index]) for index in new]
            self.quarantine.keep_records(kept)
        for index in new:
            self.ahead += len(batch[index]) - len(PLACEHOLDER)
            self._pending[index] = PLACEHOLDER
        # a batch may begin after a gap
        good = next((index for index, line in enumerate(self._pending) if line is not PLACEHOLDER), len(self._pending))
        self._forget_pending(good)
        return StepResult(Step.SENT)

    def _handle_unreadable(self, error: OSError | Damaged) -> StepResult:
        """Try again later, since only the disk may have failed. A segment that is damaged again is set aside."""
        path = self._reader.path
        if isinstance(error, Damaged):
            is_first, path, self._damaged = error.path != self._damaged, error.path, error.path
            if not (is_first or self._is_muted):
                try:
                    self.quarantine.keep_segment(error)
                    self._gap, self._needs_opening = self._gap or (self._read + 1, None), True
                    return StepResult(Step.SENT)
                except OSError as failure:
                    error = failure
        return self._wait(UNREADABLE, f"the journal {path} cannot be read ({error})")

    # images

    def _next_image(self) -> Path | None:
        """The file of an image that the server does not have yet."""
        with contextlib.suppress(OSError), os.scandir(self._reader.paths.blobs) as entries:
            for entry in entries:
                if is_sha256(entry.name) and entry.name not in self._unreadable:
                    return Path(entry.path)
        return None

    def _send_image(self, path: Path) -> StepResult:
        """Send an image, and delete its file."""
        try:
            data = path.read_bytes()
        except OSError as error:
            self._unreadable.add(path.name)
            notify(f"the image {path} cannot be read ({error}); its record is sent without it")
            return StepResult(Step.SENT)
        self._await_turn(self._timing.min_interval)
        self._interval = self._timing.min_interval
        response = self._client.put_blob(self._reader.header.session, path.name, data)
        is_taken = response.status == 200 and response.body.get("sha256") == path.name
        is_rejected = response.status == 413 or (response.status == 422 and response.code == "bad_blob")
        if not is_taken and not is_rejected:
            return self._handle_response(response)
        self.outages.succeeded()
        try:
            if is_rejected:
                self.quarantine.keep_image(path, response.reason)
            else:
                path.unlink()
        except OSError:
            self._unreadable.add(path.name)
        self.freed += len(data)
        return StepResult(Step.SENT)

    # responses that are about more than the records

    def _handle_response(self, response: Response) -> StepResult:
        """Handle a response that neither acknowledges nor rejects records."""
        status, code, address = response.status, response.code, self._client.base_url
        if status == 404 and code == "unknown_session":
            self._needs_opening = True  # the next step sends it
            is_forgotten, self._is_opened = self._is_opened, False
            return self._wait(response) if is_forgotten else StepResult(Step.SENT)
        if status == 410 and code == "deleted_session":
            self._notify(f"session {self._reader.header.session} was deleted on the server; nothing more is sent")
            return StepResult(Step.DELETED)
        sync = sync_command(self._reader.paths.folder)
        if status in (401, 403):
            problem, fix = "accept the API key", f"check LW_API_KEY or run `losswise login URL`, then `{sync}`"
        elif code == "unsupported_format":
            problem, fix = "know this version's format", f"upgrade the server, then `{sync}` sends it"
        else:
            return self._wait(response)
        self.outages.needs_user(response)  # to fix the key or upgrade the server; until then, attempts are rare
        if not self._is_muted:
            text = f"{address} does not {problem} ({response.reason}). Everything is kept; {fix}"
            notify_once((problem, address), text)
        return StepResult(Step.RETRY, self._timing.fix_retry, refused=True)

    def _send_opening(self) -> StepResult:
        """Make the session and its graphs known to the server."""
        if not self._opening.batches:
            self._opening.begin()
        batch = self._opening.batches[0]
        response = self._post(batch, None)
        if response.status == 200 and response.body:
            del self._opening.batches[0]
            if not self._opening.batches:
                self._needs_opening, self._is_opened = False, True
                self._count_gap(response)
            return StepResult(Step.SENT)
        is_rejected = response.status in (400, 422) and response.code in ("bad_batch", "bad_json")
        if (is_rejected or response.status == 413) and not self._opening.is_hopeless():
            rejected = self._opening.reject(rejected_records(response, len(batch)), response.reason)
            if rejected:
                self.quarantine.keep_records(rejected)
            return StepResult(Step.SENT)
        self._opening.batches = []
        return self._handle_response(response) if response.code != "unknown_session" else self._wait(response)

    def _count_gap(self, response: Response) -> None:
        """Count the records in a gap that the server does not have either."""
        if self._gap is not None or self.quarantine.has_uncounted:
            stored = response.body.get("last")
            first, last = self._gap or (None, None)
            self.quarantine.count_missing(first, last, stored if type(stored) is int else 0)
        self._gap = None

    def _wait(self, response: Response, problem: str = "") -> StepResult:
        """Try again later, after pauses that grow, or when the server asks to. `problem` replaces the response's."""
        self.outages.failed(response, problem)
        if response.status in (429, 503) and response.retry_after is not None:
            return StepResult(Step.RETRY, response.retry_after, requested=True)
        doubled = self._timing.first_retry * 2 ** min(self.outages.failures - 1, 10)
        pause = min(self._timing.max_retry, doubled) * random.uniform(0.5, 1.0)
        return StepResult(Step.RETRY, pause, response.refused)
