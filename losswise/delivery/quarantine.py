"""What stands in the way of a delivery, kept in files of its own beside the journal, and told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from losswise.delivery.client import Answer
from losswise.journal.paths import REFUSED, Paths
from losswise.journal.reader import Damaged
from losswise.util.messages import say

MOST_TOLD = 5
"""Refused records that are told one by one."""


class Aside:
    """The files of one journal that are not sent.

    Args:
        tell: says what is missing; what a server refuses is always said.

    Attributes:
        is_used: something stands there: a record or an image that the server refused, a segment that is damaged
            or not there.
    """

    def __init__(self, paths: Paths, session: str, tell: Callable[[str], None]) -> None:
        self.is_used = False
        self._records = 0
        self._paths, self._session, self._tell = paths, session, tell
        self._is_told = False

    def keep_record(self, number: int, record: bytes, answer: Answer) -> None:
        """Keep a record that the server refused."""
        self.is_used = True
        self._records += 1
        path = self._paths.refused
        try:
            with open(path, "ab") as file:
                file.write(record + b"\n")
            kept = f"; it is kept in {path}"
        except OSError as error:
            kept = f", and it could not be kept ({error})"
        if self._records <= MOST_TOLD:
            reason = answer.error or answer.problem
            say(f"the server refused record {number} ({_describe(record)}): {reason}{kept}")
        elif self._records == MOST_TOLD + 1:
            say(f"the server refuses more records; they are in {path}")

    def keep_image(self, path: Path, answer: Answer) -> None:
        """Keep an image that the server refused. Raises OSError."""
        kept = self._paths.folder / f"{self._paths.stem}.{path.name[:12]}{REFUSED}"
        say(f"the server refused an image ({answer.error or answer.problem}); it is kept in {kept}")
        path.replace(kept)
        self.is_used = True

    def keep_segment(self, damaged: Damaged) -> None:
        """Keep a damaged segment, so that those that follow it can be sent. Raises OSError."""
        kept = damaged.path.with_suffix(REFUSED)
        damaged.path.replace(kept)
        self.is_used = self._is_told = True
        self._tell(
            f"session {self._session}: {damaged.path} is damaged ({damaged}); it is kept as {kept}, "
            "and what follows it is sent"
        )

    def note_gap(self, first: int, last: int) -> None:
        """These records are in no segment."""
        if not self._is_told:
            self.is_used = True
            self._tell(
                f"session {self._session}: records {first} to {last} are not in {self._paths.folder} any more, "
                "sent by somebody else or lost; what follows them is sent"
            )
        self._is_told = False


def set_aside(folder: Path) -> list[Path]:
    """The files in a folder that are not sent, by their names."""
    with contextlib.suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.suffix == REFUSED)
    return []


def _describe(record: bytes) -> str:
    """A record in a few words, for a person who looks for it."""
    try:
        fields = json.loads(record)
        names = ", ".join([*fields.get("y", {}), *fields.get("values", {})][:5])
        title = fields.get("title") or fields.get("name") or fields.get("graph") or ""
        return " ".join(part for part in (str(fields.get("type")), str(title), names) if part)[:200]
    except (ValueError, AttributeError, TypeError):
        return "unreadable"
