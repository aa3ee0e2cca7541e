"""Make a session known to a server: send its session and graph records, as far as they can be sent."""

from __future__ import annotations

import json
from typing import Any

from losswise.delivery.quarantine import Quarantine
from losswise.journal.format import Header, is_record, record_line
from losswise.journal.reader import JournalReader
from losswise.protocol.limits import INT64_MAX, LATEST_TIME_S, MAX_NAME_LENGTH
from losswise.protocol.records import session_record

SESSION = b'{"type":"session"'


class Opening:
    """The session and graph records of a journal, for a server that does not know them. It merges them.

    They go in batches without numbers. The first begins with a session record, which creates the session. If none can
    be read, or the server rejects one, a small one takes its place, so that the rest of the journal can be sent.

    Attributes:
        batches: what is left to send.
    """

    def __init__(self, reader: JournalReader, quarantine: Quarantine) -> None:
        self.batches: list[list[bytes]] = []
        self._reader, self._quarantine = reader, quarantine
        self._left_out: list[dict[str, Any]] = []  # rejected ones that are not in quarantine, since others say the same
        self._stand_in = b""
        self._rejected_stand_ins = 0

    def begin(self) -> None:
        """Read the records. Raises OSError."""
        known = list(dict.fromkeys(self._reader.preamble()))
        rejected = [*self._quarantine.openings, *self._left_out]
        lines = [line for line in known if is_record(line) and json.loads(line) not in rejected]
        sessions = [line for line in lines if line.startswith(SESSION)]
        if not sessions or len(sessions) < sum(line.startswith(SESSION) for line in known):
            self._stand_in = _stand_in(self._reader.header, rejected, is_bare=self._rejected_stand_ins > 0)
            sessions.insert(0, self._stand_in)
        self.batches = [[*sessions, *(line for line in lines if not line.startswith(SESSION))]]

    def is_hopeless(self) -> bool:
        """Whether the server has rejected all that can be tried."""
        return self._rejected_stand_ins > 1

    def reject(self, rejected: dict[int, str], reason: str) -> list[tuple[None, bytes, str]]:
        """Leave out records of the first batch that the server rejects, or halve it if the server names none.

        Returns those to be kept in quarantine, without a number. The caller begins anew then.
        """
        batch = self.batches[0]
        if not rejected and len(batch) > 1:
            middle = len(batch) // 2
            self.batches[:1] = [batch[:middle], batch[middle:]]
            return []
        self.batches = []
        kept: list[tuple[None, bytes, str]] = []
        has_session = any(record["type"] == "session" for record in self._quarantine.openings)
        for index, why in (rejected or {0: reason}).items():
            line = batch[index]
            if line == self._stand_in:
                self._rejected_stand_ins += 1
            elif line.startswith(SESSION) and has_session:
                self._left_out.append(json.loads(line))
            else:
                kept.append((None, line, why))
        return kept


def _stand_in(header: Header, rejected: list[dict[str, Any]], is_bare: bool) -> bytes:
    """A session record with what is certain to be accepted of the rejected ones; if bare, with the time only."""
    fields: dict[str, Any] = {}
    if 0 <= header.created_at <= LATEST_TIME_S:
        fields["created_at"] = header.created_at
    for record in () if is_bare else reversed(rejected):  # the first one wins: it names the project
        if record["type"] == "session":
            names = {name: record.get(name) for name in ("project", "tag", "group")}
            fields |= {name: text[:MAX_NAME_LENGTH] for name, text in names.items() if isinstance(text, str)}
            created_at, max_iter = record.get("created_at"), record.get("max_iter")
            if isinstance(created_at, (int, float)) and 0 <= created_at <= LATEST_TIME_S:
                fields["created_at"] = created_at
            if type(max_iter) is int and 0 < max_iter <= INT64_MAX:
                fields["max_iter"] = max_iter
    return record_line(session_record(**fields)).rstrip(b"\n")
