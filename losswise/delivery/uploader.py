"""One journal's way to a server: what goes into a batch, and what each answer asks for.

The live sender and `losswise sync` use the same code. Records travel as they stand in the journal, each with
its own number, so batches can be cut differently each time and the server still applies each record once.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from losswise.delivery import pacing
from losswise.delivery.client import Answer, Wire
from losswise.delivery.quarantine import Aside
from losswise.journal.reader import Damaged, Reader
from losswise.protocol.limits import FORMAT
from losswise.protocol.records import is_sha256
from losswise.util.messages import say, say_once
from losswise.util.paths import sync_command

BATCH_BYTES = 2 * 1024 * 1024
"""Journal bytes in a batch; a point takes 22 at least, so it stays below MAX_BATCH_POINTS too."""
LEAST_BATCH_BYTES = 64 * 1024
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
KEY_PAUSE = 60.0
SLOW = 1.0
"""Seconds after which an answer that has not come is worth a word."""


class Step(Enum):
    SENT = "sent"
    IDLE = "idle"
    RETRY = "retry"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Outcome:
    """What one step came to.

    Attributes:
        pause: for RETRY, seconds to wait before the next step.
        refused: nobody listens, or the key is not accepted: waiting long has no sense.
        wished: the server asked for this pause, so that nothing shortens it.
    """

    step: Step
    pause: float = 0.0
    refused: bool = False
    wished: bool = False


class Delivery:
    """Sends the records of one journal in order.

    Args:
        reader: of the journal.
        wire: to the server.
        replay: it is sent after the fact, which makes no dead session active; whoever sends it tells of a
            server that takes nothing.
        quietly: say nothing of a refused key or a deleted session either.
        batch_bytes: journal bytes in a batch.
        rest: waits for so many seconds, at most, while steps gather. Else they do not.

    Attributes:
        acknowledged: number of the last record that the server has, or that was set aside.
        freed: bytes of segments and images that were removed since they are delivered.
        freed_images: those of images alone.
        ahead: bytes of acknowledged records whose segment is still there.
        deleted: the session was deleted on the server; nothing of it will ever be taken.
        failures: attempts in a row without an answer.
        aside: what is not sent.
        is_server_lost: the last attempt failed for a reason that other journals would meet, too.
        problem: what stood in the way of the last attempt, as a sentence; empty where it was told.
    """

    def __init__(
        self,
        reader: Reader,
        wire: Wire,
        replay: bool = False,
        quietly: bool = False,
        batch_bytes: int = BATCH_BYTES,
        rest: Callable[[float], None] | None = None,
    ) -> None:
        self.acknowledged = reader.number
        self.freed = self.freed_images = self.ahead = 0
        self.deleted = False
        self.failures = 0
        self._has_gap = False  # the graphs that were made in it may not be known
        self._damaged: Path | None = None
        self._reader = reader
        self._wire = wire
        self._sync = sync_command(reader.paths.folder)
        self._replay = replay
        self._pending: list[bytes] = []
        self._portion: int | None = None
        self._batch_bytes = batch_bytes
        self._rest = rest
        self._sent_at = float("-inf")
        self._told_outage = self._is_silent = False
        wire.on_quiet = self._note_quiet
        self.is_server_lost = False
        self.problem = ""
        self._is_quietly = quietly
        self._tell: Callable[[str], None] = _say_nothing if quietly else say
        self.aside = Aside(reader.paths, reader.header.session, self._tell)
        self._tell_outage: Callable[[str], None] = _say_nothing if quietly or replay else say
        self._is_blobs_turn = False
        self._unreadable: set[str] = set()

    def is_idle(self) -> bool:
        """Nothing stands there to be sent now."""
        with contextlib.suppress(OSError, Damaged):
            self._fill()
            return not self._pending and self._next_blob() is None
        return False

    def step(self) -> Outcome:
        """Send one batch, or the bytes of one image, and do what the answer asks for.

        Images take turns with batches, so that neither keeps the other from the server.
        """
        try:
            self._fill()
        except OSError as error:
            return self._wait_for_disk(self._reader.path, error)
        except Damaged as damaged:
            return self._pass_over(damaged)
        if self._has_gap:
            return self._introduce()
        is_free = self._is_blobs_turn or not self._pending or self._gathers_until() > time.monotonic()
        blob = self._next_blob() if is_free else None
        self._is_blobs_turn = blob is None
        if blob is not None:
            return self._upload(blob)
        return self._send() if self._pending else Outcome(Step.IDLE)

    def _send(self) -> Outcome:
        self._let_gather()
        records = self._pending[: self._portion]
        answer = self._wire.post_batch(self._body(records, self.acknowledged + len(records)))
        if answer.status == 200 and isinstance(answer.body.get("last"), int):
            if answer.body.get("created") is True:
                self._tell_if_resumed(records[0])
            return self._accept(answer.body["last"])
        if answer.status in (400, 422) and answer.code == "bad_batch":
            return self._divide(answer)
        if answer.status == 400 and answer.code == "bad_json":
            return self._set_damaged_aside(answer)
        if answer.status == 413:
            self._batch_bytes = max(LEAST_BATCH_BYTES, self._batch_bytes // 2)
            return self._divide(answer)
        return self._heed(answer)

    def _tell_if_resumed(self, first: bytes) -> None:
        """The server has made a session: one that was to be resumed was not there."""
        with contextlib.suppress(ValueError, AttributeError):
            if "created_at" not in json.loads(first):
                session = self._reader.header.session
                self._tell(f"there was no session {session} on {self._wire.base_url}; a new one is begun")

    def add(self, lines: list[bytes]) -> None:
        """Send these records too, which stand in no file."""
        self._pending += [line.rstrip(b"\n") for line in lines]

    def heartbeat(self) -> Outcome:
        """Say that the writer lives: a batch without records."""
        answer = self._wire.post_batch(self._body([], None))
        if answer.status == 200 and answer.body:
            self._recovered()
            return Outcome(Step.SENT)
        return self._heed(answer)

    def _fill(self) -> None:
        if self._pending:
            return
        while lines := self._reader.read(self._batch_bytes):
            first = self._reader.number - len(lines) + 1
            known = max(0, self.acknowledged + 1 - first)
            self.ahead += pacing.size(lines[:known])
            if self._reader.number > self.acknowledged:
                if first > self.acknowledged + 1:
                    self.aside.note_gap(self.acknowledged + 1, first - 1)
                    self.acknowledged, self._has_gap = first - 1, True
                self._pending = lines[known:]
                return

    def _pass_over(self, damaged: Damaged) -> Outcome:
        """Set a damaged segment aside, and go on with those that follow. Read twice, lest the disk was at fault."""
        is_new, self._damaged = self._damaged != damaged.path, damaged.path
        if is_new or self._is_quietly:
            return self._wait_for_disk(damaged.path, damaged)
        try:
            self.aside.keep_segment(damaged)
        except OSError as error:
            return self._wait_for_disk(damaged.path, error)
        return Outcome(Step.SENT)

    def _wait_for_disk(self, path: Path, error: Exception) -> Outcome:
        """A network file system may fail for a moment."""
        self.is_server_lost = False
        return self._wait(Answer(0, {}), f"the journal {path} cannot be read ({error})")

    def _let_gather(self) -> None:
        """Wait for the turn of a request. What has come meanwhile goes with it."""
        if self._rest is not None:
            self._rest(self._gathers_until() - time.monotonic())
        self._wire.await_turn()
        self._sent_at = time.monotonic()
        room = self._batch_bytes - pacing.size(self._pending)
        if self._portion is None and room > 0:
            with contextlib.suppress(OSError):
                self._pending += self._reader.read_here(room)

    def _gathers_until(self) -> float:
        """Until when steps gather (time.monotonic). A backlog, a batch that is divided, a second attempt wait for
        nothing more."""
        is_backlog = pacing.size(self._pending) > self._batch_bytes // pacing.PART
        if self._rest is None or is_backlog or self._portion is not None or self.failures:
            return float("-inf")
        return self._sent_at + pacing.pause(self._pending)

    def _body(self, records: list[bytes], seq: int | None) -> bytes:
        """The journal's lines, as they are, between the batch's own fields."""
        header = self._reader.header
        fields = {
            "format": FORMAT,
            "session": header.session,
            "writer": header.writer,
            "replay": self._replay,
        }
        if seq is not None:
            fields["seq"] = seq
        return json.dumps(fields).encode()[:-1] + b',"records":[' + b",".join(records) + b"]}"

    def _accept(self, last: int) -> Outcome:
        """Forget up to `last`. A server that went back to an older state gets no endless loop."""
        if last <= self.acknowledged:
            words = f"takes nothing (it keeps record {last}, not what was sent)"
            return self._wait(Answer(200, {}), f"{self._wire.base_url} {words}")
        self._recovered()
        self._take_off(last - self.acknowledged)
        freed = self._reader.forget(last)
        self.freed += freed
        self.ahead = max(0, self.ahead - freed)
        if not self._pending:
            self._portion = None
        return Outcome(Step.SENT)

    def _take_off(self, count: int) -> None:
        self.ahead += pacing.size(self._pending[:count])
        self._pending = self._pending[count:]
        self.acknowledged += count

    def _next_blob(self) -> Path | None:
        """The bytes of an image that the server does not have yet: whatever lies beside the journal."""
        with contextlib.suppress(OSError), os.scandir(self._reader.paths.blobs) as entries:
            for entry in entries:
                if is_sha256(entry.name) and entry.name not in self._unreadable:
                    return Path(entry.path)
        return None

    def _upload(self, path: Path) -> Outcome:
        """Send an image's bytes, and remove them."""
        try:
            data = path.read_bytes()
        except OSError as error:
            self._unreadable.add(path.name)
            say(f"the image {path} cannot be read ({error}); its record is sent without it")
            return Outcome(Step.SENT)
        answer = self._wire.put_blob(self._reader.header.session, path.name, data)
        is_taken = answer.status == 200 and answer.body.get("sha256") == path.name
        is_refused = answer.status == 413 or (answer.status == 422 and answer.code == "bad_blob")
        if not is_taken and not is_refused:
            return self._heed(answer)
        self._recovered()
        try:
            if is_refused:
                self.aside.keep_image(path, answer)
            else:
                path.unlink()
        except OSError:
            self._unreadable.add(path.name)
        self.freed += len(data)
        self.freed_images += len(data)
        return Outcome(Step.SENT)

    def _divide(self, answer: Answer) -> Outcome:
        """Halve the batch until the bad record is alone, and set that aside."""
        tried = len(self._pending[: self._portion])
        if tried > 1:
            self._portion = tried // 2
            return Outcome(Step.SENT)
        record = self._pending[0]
        self._take_off(1)
        self._portion = None
        self.aside.keep_record(self.acknowledged, record, answer)
        return Outcome(Step.SENT)

    def _set_damaged_aside(self, answer: Answer) -> Outcome:
        """Lines that a disk has damaged must not stand in the way of the others."""
        for place, record in enumerate(self._pending[: self._portion]):
            try:
                json.loads(record)
            except ValueError:
                self._portion = place or 1
                return self._divide(answer) if place == 0 else Outcome(Step.SENT)
        return self._wait(answer)

    def _heed(self, answer: Answer) -> Outcome:
        """An answer that is no acknowledgement and no complaint about a record."""
        self.is_server_lost = answer.status != 403
        if answer.status == 404 and answer.code == "unknown_session":
            return self._introduce()
        if answer.status == 410 and answer.code == "deleted_session":
            self.deleted = True
            self._tell(f"session {self._reader.header.session} was deleted on the server; nothing more is sent")
            return Outcome(Step.STOPPED)
        address, problem = self._wire.base_url, answer.error or answer.problem
        if answer.status in (401, 403):
            return self._wait_for_person(
                ("key", address),
                f"{address} does not accept the API key ({problem}). "
                f"Everything is kept; check LW_API_KEY or run `losswise login URL`, then `{self._sync}`",
            )
        if answer.code == "unsupported_format":
            return self._wait_for_person(
                ("format", address),
                f"{address} does not know this version's format ({problem}). "
                f"Everything is kept; update the server, then `{self._sync}` sends it",
            )
        return self._wait(answer)

    def _wait_for_person(self, key: object, sentence: str) -> Outcome:
        """Somebody must do something before the server takes anything."""
        self.failures += 1
        self.problem = ""
        if self._tell is say:
            say_once(key, sentence)
        self._told_outage = True
        return Outcome(Step.RETRY, KEY_PAUSE, refused=True)

    def _introduce(self) -> Outcome:
        """The server does not know the session: tell it again; the records merge with what it may have."""
        try:
            opening = self._reader.opening()
        except OSError as error:
            return self._wait_for_disk(self._reader.path, error)
        answer = self._wire.post_batch(self._body(opening, None))
        if answer.status == 200:
            self._has_gap = False
            self.failures += 1  # a server that forgets at once gets no endless loop
            return Outcome(Step.SENT if self.failures < 3 else Step.RETRY, FIRST_PAUSE)
        if answer.status == 404:
            return self._wait(answer)
        return self._heed(answer)

    def _wait(self, answer: Answer, words: str = "") -> Outcome:
        self.failures += 1
        self._is_silent &= answer.status == 0 and not answer.refused
        self.problem = words or f"{self._wire.base_url} {answer.trouble}"
        if self.failures >= 2 and not self._told_outage:  # one broken connection is no outage
            self._told_outage = True
            self._tell_outage(f"{self.problem}; everything is kept and sent later")
        if answer.status in (429, 503) and answer.retry_after is not None:
            return Outcome(Step.RETRY, answer.retry_after, wished=True)
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures - 1, 10))
        return Outcome(Step.RETRY, longest * random.uniform(0.5, 1.0), answer.refused)

    def _note_quiet(self) -> None:
        self._is_silent = True
        if not self._told_outage:
            self._told_outage = True
            self._tell_outage(f"{self._wire.base_url} does not answer yet; everything is kept and sent later")

    def cause(self) -> str:
        """Why nothing is taken, for other threads; empty where nothing is known, or it was told."""
        asked_at = self._wire.asked_at
        if self._is_silent or (asked_at and time.monotonic() - asked_at > SLOW):
            return f"{self._wire.base_url} does not answer"
        return self.problem if self.failures and not self._told_outage else ""

    def _recovered(self) -> None:
        if self._told_outage:
            self._tell_outage(f"{self._wire.base_url} answers again; sending what was kept")
        self._told_outage = self._is_silent = False
        self.failures = 0


def _say_nothing(text: str) -> None:
    """For deliveries that nobody watches."""
