"""The lines of a journal: segment headers, and records as JSON."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import asdict, dataclass

from losswise.protocol.limits import FORMAT
from losswise.protocol.records import Record, is_id
from losswise.util.messages import notify_once
from losswise.util.units import size_text
from losswise.util.unreliable import type_name
from losswise.values.containers import UNREADABLE
from losswise.values.jsonable import dumps

MAX_SESSION_BYTES = 8 * 1024 * 1024  # of a session record; the server takes batches of 32 MiB
ESSENTIAL_FIELDS = ("type", "project", "tag", "group", "created_at", "max_iter")


def record_line(record: Record) -> bytes:
    """Encode a record as a line of a journal.

    A session record that cannot be encoded, or that is too large for the server, is reduced to its essential fields and
    a note: without its session record, nothing of a session can be sent.
    """
    if record["type"] != "session":
        return dumps(record).encode() + b"\n"
    try:
        line = dumps(record).encode() + b"\n"
        if len(line) <= MAX_SESSION_BYTES:
            return line
        problem = f"{size_text(len(line))} are too much"
    except Exception as error:
        problem = type_name(error)
    notify_once("session record", f"params, tags and notes of a session cannot be recorded ({problem}); the rest is")
    reduced = {name: record[name] for name in ESSENTIAL_FIELDS if name in record}
    return dumps({**reduced, "params": {UNREADABLE: problem}}).encode() + b"\n"


def is_record(line: bytes) -> bool:
    """Return whether a line is a record in valid JSON. It is not if a disk has damaged it."""
    try:
        return isinstance(json.loads(line, parse_constant=_reject_constant), dict)
    except (ValueError, RecursionError):
        return False


def _reject_constant(token: str) -> None:
    raise ValueError(f"{token} is not JSON")


@dataclass(frozen=True)
class Header:
    """The first line of a segment: which session and writer it belongs to. Never holds the API key."""

    session: str
    writer: str
    base_url: str  # of the server that the session was recorded for
    host: str = ""  # name of the machine that writes it
    created_at: float = 0.0
    segment: int = 1  # for the first file of a writer, 2 for the next, ...
    first: int = 1  # number of the first record in this file
    preamble: int = 0  # number of lines after the header that repeat session and graph records and have no number
    format: int = FORMAT

    @classmethod
    def of_this_process(cls, session: str, writer: str, base_url: str) -> Header:
        """Make the header of a new journal that this process writes."""
        return cls(session, writer, base_url, socket.gethostname(), time.time())

    @classmethod
    def parse(cls, line: bytes) -> Header:
        """Parse a header, ignoring unknown fields. Raises ValueError if the line is not a header of a known format."""
        fields = json.loads(line)
        if not isinstance(fields, dict) or fields.pop("losswise", None) != "journal":
            raise ValueError("not a journal of losswise")
        if fields.get("format") != FORMAT:
            raise ValueError(f"written in format {fields.get('format')}, which this version does not know")
        if not is_id(fields.get("session")) or not is_id(fields.get("writer")):
            raise ValueError("its header has no session and writer ids")
        known = cls.__dataclass_fields__
        header = cls(**{name: value for name, value in fields.items() if name in known})
        numbers = (header.first, header.preamble, header.segment)
        if not all(type(number) is int for number in numbers) or not isinstance(header.created_at, (int, float)):
            raise ValueError("its header is damaged")
        return header

    def line(self) -> bytes:
        return json.dumps({"losswise": "journal", **asdict(self)}).encode() + b"\n"
