"""Lines of a journal: its header, and records as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from losswise.protocol.limits import FORMAT
from losswise.protocol.records import Record, is_id
from losswise.values.jsonable import dumps


def record_line(record: Record) -> bytes:
    return dumps(record).encode() + b"\n"


@dataclass(frozen=True)
class Header:
    """Whose journal it is, and which part of it. Never holds a key.

    Attributes:
        segment: 1 for the first file of a writer, 2 for the next, ...
        first: number of the first record in this file.
        preamble: lines after the header that are no records of their own.
    """

    session: str
    writer: str
    base_url: str
    host: str = ""
    boot: str = ""
    pid: int = 0
    created_at: float = 0.0
    segment: int = 1
    first: int = 1
    preamble: int = 0
    format: int = FORMAT

    @classmethod
    def of_this_process(cls, session: str, writer: str, base_url: str) -> Header:
        return cls(session, writer, base_url, socket.gethostname(), boot_id(), os.getpid(), time.time())

    @classmethod
    def parse(cls, line: bytes) -> Header:
        """Raises ValueError for a line that is no header of a format known here."""
        fields = json.loads(line)
        if not isinstance(fields, dict) or fields.pop("losswise", None) != "journal":
            raise ValueError("not a journal of losswise")
        if fields.get("format") != FORMAT:
            raise ValueError(f"written in format {fields.get('format')}, which this version does not know")
        if not is_id(fields.get("session")) or not is_id(fields.get("writer")):
            raise ValueError("its header names no session and writer")
        known = cls.__dataclass_fields__
        header = cls(**{name: value for name, value in fields.items() if name in known})
        if not all(type(number) is int for number in (header.first, header.preamble, header.segment)):
            raise ValueError("its header is damaged")
        return header

    def line(self) -> bytes:
        return json.dumps({"losswise": "journal", **asdict(self)}).encode() + b"\n"


def boot_id() -> str:
    """Tells one start of this machine from another, where the system says so; else empty."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
