"""One journal's way to a server: what goes into a batch, and what each answer asks for.

The live sender and `losswise sync` use the same code. Records travel as they stand in the journal, each with
its own number, so batches can be cut differently each time and the server still applies each record once.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from losswise.messages import say, say_once
from losswise.reader import Reader
from losswise.records import FORMAT, is_sha256
from losswise.wire import Answer, Wire

BATCH_BYTES = 2 * 1024 * 1024
"""Journal bytes in a batch; a point takes 22 at least, so it stays below MAX_BATCH_POINTS too."""
LEAST_BATCH_BYTES = 64 * 1024
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
KEY_PAUSE = 60.0
LONGEST_WISH = 600.0
"""Seconds of Retry-After that are heeded."""

_IMAGE = b'{"type":"image"'


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
        replay: it is sent after the fact, which makes no dead session active.
        quietly: say nothing of a server that cannot be reached.
        batch_bytes: journal bytes in a batch.

    Attributes:
        acknowledged: number of the last record that the server has, or that was set aside.
        freed: bytes of segments and images that were removed since they are delivered.
        freed_images: those of images alone.
        deleted: the session was deleted on the server; nothing of it will ever be taken.
        failures: attempts in a row without an answer.
        set_aside: records that the server refused.
    """

    def __init__(
        self,
        reader: Reader,
        wire: Wire,
        replay: bool = False,
        quietly: bool = False,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self.acknowledged = reader.number
        self.freed = self.freed_images = 0
        self.deleted = False
        self.failures = 0
        self.set_aside = 0
        self._reader = reader
        self._wire = wire
        self._replay = replay
        self._pending: list[bytes] = []
        self._portion: int | None = None
        self._batch_bytes = batch_bytes
        self._told_outage = False
        self._tell: Callable[[str], None] = _say_nothing if quietly else say
        self._uploaded: set[str] = set()

    def step(self) -> Outcome:
        """Send one batch, or the bytes of an image in it, and do what the answer asks for."""
        self._fill()
        if not self._pending:
            return Outcome(Step.IDLE)
        records = self._pending[: self._portion]
        blob = self._blob_due(records)
        if blob is not None:
            return self._upload(blob)
        answer = self._wire.post_batch(self._body(records, self.acknowledged + len(records)))
        if answer.status == 200 and isinstance(answer.body.get("last"), int):
            return self._accept(answer.body["last"])
        if answer.status in (400, 422) and answer.code == "bad_batch":
            return self._divide(answer)
        if answer.status == 413:
            self._batch_bytes = max(LEAST_BATCH_BYTES, self._batch_bytes // 2)
            return self._divide(answer)
        return self._heed(answer)

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
            if self._reader.number > self.acknowledged:
                self._pending = lines[max(0, self.acknowledged + 1 - first) :]
                return

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
        self._recovered()
        if last <= self.acknowledged:
            return self._wait(Answer(200, {}, problem=f"it keeps record {last}, not what was sent"))
        gone, self._pending = self._pending[: last - self.acknowledged], self._pending[last - self.acknowledged :]
        self.acknowledged = last
        self._forget(gone)
        if not self._pending:
            self._portion = None
        return Outcome(Step.SENT)

    def _forget(self, records: list[bytes]) -> None:
        """Remove what lies on the disk for these records only."""
        self.freed += self._reader.forget(self.acknowledged)
        for record in records:
            sha256 = _sha256_of(record)
            if sha256 is not None:
                path = self._reader.paths.blobs / sha256
                with contextlib.suppress(OSError):
                    size = path.stat().st_size
                    path.unlink()
                    self.freed += size
                    self.freed_images += size

    def _blob_due(self, records: list[bytes]) -> Path | None:
        """The bytes of an image among these records that the server does not have yet."""
        for record in records:
            sha256 = _sha256_of(record)
            if sha256 is not None and sha256 not in self._uploaded:
                path = self._reader.paths.blobs / sha256
                if path.exists():
                    return path
                self._uploaded.add(sha256)  # sent before, by this process or another
        return None

    def _upload(self, path: Path) -> Outcome:
        """Send an image's bytes, once."""
        session, sha256 = self._reader.header.session, path.name
        try:
            data = path.read_bytes()
        except OSError as error:
            self._uploaded.add(sha256)
            say(f"the image {path} cannot be read ({error}); its record is sent without it")
            return Outcome(Step.SENT)
        answer = self._wire.put_blob(session, sha256, data)
        if answer.status == 200 and answer.body.get("sha256") == sha256:
            self._recovered()
            self._uploaded.add(sha256)
            return Outcome(Step.SENT)
        if answer.status == 413 or (answer.status == 422 and answer.code == "bad_blob"):
            self._uploaded.add(sha256)
            say(f"the server refused the image {path} ({answer.error or answer.problem})")
            return Outcome(Step.SENT)
        return self._heed(answer)

    def _divide(self, answer: Answer) -> Outcome:
        """Halve the batch until the bad record is alone, and set that aside."""
        tried = len(self._pending[: self._portion])
        if tried > 1:
            self._portion = tried // 2
            return Outcome(Step.SENT)
        record = self._pending.pop(0)
        self.acknowledged += 1
        self.set_aside += 1
        self._portion = None
        self._keep_refused(record, answer)
        return Outcome(Step.SENT)

    def _keep_refused(self, record: bytes, answer: Answer) -> None:
        path = self._reader.paths.refused
        try:
            with open(path, "ab") as file:
                file.write(record + b"\n")
            kept = f"; it is kept in {path}"
        except OSError as error:
            kept = f", and it could not be kept ({error})"
        reason = answer.error or answer.problem
        say(f"the server refused record {self.acknowledged} ({_describe(record)}): {reason}{kept}")

    def _heed(self, answer: Answer) -> Outcome:
        """An answer that is no acknowledgement and no complaint about a record."""
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
                "Everything is kept; check LW_API_KEY or run `losswise login URL`, then `losswise sync`",
            )
        if answer.code == "unsupported_format":
            return self._wait_for_person(
                ("format", address),
                f"{address} does not know this version's format ({problem}). "
                "Everything is kept; update the server, then `losswise sync` sends it",
            )
        return self._wait(answer)

    def _wait_for_person(self, key: object, sentence: str) -> Outcome:
        """Somebody must do something before the server takes anything."""
        self.failures += 1
        if self._tell is say:
            say_once(key, sentence)
        self._told_outage = True
        return Outcome(Step.RETRY, KEY_PAUSE, refused=True)

    def _introduce(self) -> Outcome:
        """The server does not know the session: tell it again; the records merge with what it may have."""
        answer = self._wire.post_batch(self._body(self._reader.opening(), None))
        if answer.status == 200:
            self.failures += 1  # a server that forgets at once gets no endless loop
            return Outcome(Step.SENT if self.failures < 3 else Step.RETRY, FIRST_PAUSE)
        if answer.status == 404:
            return self._wait(answer)
        return self._heed(answer)

    def _wait(self, answer: Answer) -> Outcome:
        self.failures += 1
        if self.failures >= 2 and not self._told_outage:  # one broken connection is no outage
            self._told_outage = True
            problem = answer.error or answer.problem
            self._tell(f"{self._wire.base_url} cannot be reached ({problem}); everything is kept and sent later")
        if answer.status in (429, 503) and answer.retry_after is not None:
            return Outcome(Step.RETRY, min(answer.retry_after, LONGEST_WISH), wished=True)
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures - 1, 10))
        return Outcome(Step.RETRY, longest * random.uniform(0.5, 1.0), answer.refused)

    def _recovered(self) -> None:
        if self._told_outage:
            self._tell(f"{self._wire.base_url} answers again; sending what was kept")
        self._told_outage = False
        self.failures = 0


def _say_nothing(text: str) -> None:
    """For deliveries that nobody watches."""


def _sha256_of(record: bytes) -> str | None:
    """The name of the bytes that an image record needs; None for other records."""
    if not record.startswith(_IMAGE):
        return None
    with contextlib.suppress(ValueError, AttributeError):
        sha256 = json.loads(record).get("sha256")
        return sha256 if is_sha256(sha256) else None
    return None


def _describe(record: bytes) -> str:
    """A record in a few words, for a person who looks for it."""
    try:
        fields = json.loads(record)
        names = ", ".join([*fields.get("y", {}), *fields.get("values", {})][:5])
        title = fields.get("title") or fields.get("name") or fields.get("graph") or ""
        return " ".join(part for part in (str(fields.get("type")), str(title), names) if part)[:200]
    except (ValueError, AttributeError, TypeError):
        return "unreadable"
