"""One journal's way to a server: what goes into a batch, and what each answer asks for.

The live sender and `losswise sync` use the same code. Records travel as they stand in the journal, each with
its own number, so batches can be cut differently each time and the server still applies each record once.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from enum import Enum

from losswise.journal import Paths, Reader
from losswise.messages import say, say_once
from losswise.records import FORMAT
from losswise.wire import Answer, Wire

BATCH_BYTES = 2 * 1024 * 1024
"""Journal bytes in a batch; a point takes 22 at least, so it stays below MAX_BATCH_POINTS too."""
LEAST_BATCH_BYTES = 64 * 1024
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
KEY_PAUSE = 60.0


class Step(Enum):
    SENT = "sent"
    IDLE = "idle"
    RETRY = "retry"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Outcome:
    """What one step came to. `pause`: seconds to wait before the next, for RETRY."""

    step: Step
    pause: float = 0.0
    refused: bool = False


class Delivery:
    """Sends the records of one journal in order.

    Attributes:
        acknowledged: number of the last record that the server has, or that was set aside.
        deleted: the session was deleted on the server; nothing of it will ever be taken.
        failures: attempts in a row without an answer.
        set_aside: records that the server refused.
    """

    def __init__(self, reader: Reader, wire: Wire, replay: bool = False) -> None:
        self.acknowledged = 0
        self.deleted = False
        self.failures = 0
        self.set_aside = 0
        self._reader = reader
        self._wire = wire
        self._replay = replay
        self._pending: list[bytes] = []
        self._portion: int | None = None
        self._batch_bytes = BATCH_BYTES
        self._told_outage = False

    def step(self) -> Outcome:
        """Send one batch and do what the answer asks for."""
        self._fill()
        if not self._pending:
            return Outcome(Step.IDLE)
        records = self._pending[: self._portion]
        answer = self._wire.post_batch(self._body(records, self.acknowledged + len(records)))
        if answer.status == 200 and isinstance(answer.body.get("last"), int):
            return self._accept(answer.body["last"])
        if answer.status in (400, 422) and answer.code == "bad_batch":
            return self._divide(answer)
        if answer.status == 413:
            self._batch_bytes = max(LEAST_BATCH_BYTES, self._batch_bytes // 2)
            return self._divide(answer)
        return self._heed(answer)

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
        self._pending = self._pending[last - self.acknowledged :]
        self.acknowledged = last
        if not self._pending:
            self._portion = None
        return Outcome(Step.SENT)

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
        path = Paths(self._reader.path).refused
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
            say(f"session {self._reader.header.session} was deleted on the server; nothing more is sent")
            return Outcome(Step.STOPPED)
        if answer.status in (401, 403):
            say_once(
                ("key", self._wire.base_url),
                f"{self._wire.base_url} does not accept the API key ({answer.error or answer.problem}). "
                "Everything is kept; check LW_API_KEY or run `losswise login URL`, then `losswise sync`",
            )
            self._told_outage = True
            return Outcome(Step.RETRY, KEY_PAUSE, refused=True)
        if answer.code == "unsupported_format":
            say_once(
                ("format", self._wire.base_url),
                f"{self._wire.base_url} does not know this version's format ({answer.error}). "
                "Everything is kept; update the server, then `losswise sync` sends it",
            )
            self._told_outage = True
            return Outcome(Step.RETRY, KEY_PAUSE, refused=True)
        return self._wait(answer)

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
            say(f"{self._wire.base_url} cannot be reached ({problem}); everything is kept and sent later")
        if answer.status in (429, 503) and answer.retry_after is not None:
            return Outcome(Step.RETRY, answer.retry_after)
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures - 1, 10))
        return Outcome(Step.RETRY, longest * random.uniform(0.5, 1.0), answer.refused)

    def _recovered(self) -> None:
        if self._told_outage:
            say(f"{self._wire.base_url} answers again; sending what was kept")
        self._told_outage = False
        self.failures = 0


def _describe(record: bytes) -> str:
    """A record in a few words, for a person who looks for it."""
    try:
        fields = json.loads(record)
        names = ", ".join([*fields.get("y", {}), *fields.get("values", {})][:5])
        title = fields.get("title") or fields.get("name") or fields.get("graph") or ""
        return " ".join(part for part in (str(fields.get("type")), str(title), names) if part)[:200]
    except (ValueError, AttributeError, TypeError):
        return "unreadable"
