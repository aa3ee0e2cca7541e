"""Set aside what cannot be delivered: records and images that the server rejects, damaged segments.

It goes into files beside the journal (quarantine_file.py). The server is told what was set aside, with sums by kind and
reason, so that the session's page can say what is missing.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from losswise.delivery import quarantine_file
from losswise.delivery.quarantine_file import DAMAGED, MISSING, Refusal, describe, open_box, readable_lines, size_of
from losswise.delivery.refusal_sums import RefusalSums
from losswise.journal.format import is_record
from losswise.journal.paths import REFUSED_SUFFIX
from losswise.journal.reader import Damaged, JournalReader
from losswise.protocol.limits import MAX_REFUSED_REASON_LENGTH
from losswise.protocol.refusals import plain_reason
from losswise.settings import journal_bound
from losswise.util.messages import notify
from losswise.util.units import size_text

MAX_WARNINGS = 5  # for rejected records of one journal; further ones are only kept
MAX_NAMED_RECORDS = 5  # in one warning
MAX_FILE_BYTES = 64 * 1024 * 1024  # it is read into memory to be sent again
MAX_KNOWN_BYTES = 1024 * 1024  # of a session or graph record that is kept beside the rejected ones


class Quarantine:
    """The undeliverable data of one journal.

    Args:
        notify: prints a line about data that is missing or damaged. What the server rejects is always reported.

    Attributes:
        is_used: something was set aside, or is missing.
        sums: what the server is to be told.
        openings: the session and graph records that the server has rejected.
        earlier: numbers of the records that an earlier process has set aside. They are not sent again.
    """

    def __init__(self, reader: JournalReader, notify: Callable[[str], None]) -> None:
        self.is_used = False
        self.sums = RefusalSums()
        self.openings: list[dict[str, Any]] = []
        self.earlier: set[int] = set()
        self._paths, self._header, self._preamble, self._notify = reader.paths, reader.header, reader.preamble, notify
        self._warnings = 0
        self._is_failing = False  # what is rejected is lost, since the file cannot be written
        self._bound = min(MAX_FILE_BYTES, journal_bound())
        self._known: dict[str, str] | None = None  # titles of the graphs whose records are in the file; None: no file
        self._has_kept = False
        self._segments: list[str] = []  # damaged ones that no refusal tells of yet
        with contextlib.suppress(OSError):
            self._load()

    def _load(self) -> None:
        """Count what an earlier process has set aside: it may have ended before the server knew."""
        box = open_box(self._paths, with_records=False)
        if self._paths.refused.exists():
            self._known = {each["id"]: str(each.get("title")) for each in box.content.known if "id" in each}
        for refusal in box.content.refusals:
            self._has_kept |= refusal.is_kept
            self._count(refusal)
            if refusal.number is not None:
                self.earlier.add(refusal.number)
        for refusal in box.unlisted():
            if refusal.segments:
                self._segments += refusal.segments
            else:
                self._has_kept = True
                self._count(refusal)

    def _count(self, refusal: Refusal) -> None:
        if refusal.record is not None and refusal.record.get("type") in ("session", "graph"):
            self.openings.append(refusal.record)
        self.sums.add(refusal)

    # records

    def keep_records(self, records: Sequence[tuple[int | None, bytes, str]]) -> None:
        """Keep records that the server rejected, given by number (None: it has none), line and reason, and warn."""
        self._warnings += 1
        known, titles = self._needed([line for _number, line, _reason in records])
        refusals = [self._refusal(*record, {**(self._known or {}), **titles}) for record in records]
        lost, problem = self._add(refusals, known, titles)
        # as in "record 7 (text notes): too long" or "2 records: 7 (text notes): too long; 9 (text log): no name"
        named = [
            f"{'' if refusal.number is None else f'{refusal.number} '}({refusal.what}): {reason}"
            for refusal, (_number, _line, reason) in zip(refusals[:MAX_NAMED_RECORDS], records, strict=False)
        ]
        if len(records) > len(named):
            named.append(f"{len(records) - len(named):,} more")
        which = f"record {named[0]}" if len(records) == 1 else f"{len(records):,} records: {'; '.join(named)}"
        path, are = self._paths.refused, "it is" if len(records) == 1 else "they are"
        kept = f"{are} kept in {path}"
        if lost == len(records):
            kept = f"{are} lost, since the file {path} {problem}"
        elif lost:
            kept = f"{len(records) - lost:,} are kept in {path}, and {lost:,} are lost, since it {problem}"
        is_news = lost > 0 and not self._is_failing
        self._is_failing = lost > 0
        if self._warnings <= MAX_WARNINGS or is_news:
            notify(f"the server rejected {which}; {kept}")
        elif self._warnings == MAX_WARNINGS + 1:
            notify(f"the server rejects more records; {kept}")

    def _refusal(self, number: int | None, line: bytes, reason: str, titles: dict[str, str]) -> Refusal:
        record = json.loads(line) if is_record(line) else None
        text = None if record is not None else line.decode("latin-1")
        what = describe(record, titles) if record is not None else "unreadable"
        reason = plain_reason(reason)[:MAX_REFUSED_REASON_LENGTH]
        return Refusal(what, reason, size_of(record), t=time.time(), number=number, record=record, line=text)

    def _needed(self, lines: Sequence[bytes]) -> tuple[list[bytes], dict[str, str]]:
        """What the file must have before these records, so that they can be sent again some day.

        Returns its lines, and the titles of the graphs among them.
        """
        graphs = {line[26:46].decode("latin-1") for line in lines if line.startswith(b'{"type":"points","graph":"')}
        new = graphs - (self._known or {}).keys()
        if self._known is not None and not new:
            return [], {}
        with contextlib.suppress(OSError):
            preamble = [line for line in self._preamble() if len(line) <= MAX_KNOWN_BYTES and is_record(line)]
            good = [json.loads(line) for line in preamble if line not in lines]
            records = [record for record in good if record not in self.openings]
            sessions = [record for record in records if record["type"] == "session"] if self._known is None else []
            needed = [record for record in records if record.get("id") in new]
            head = [self._header.line()] if self._known is None else []
            titles = {each["id"]: str(each.get("title")) for each in needed}
            return [*head, *map(quarantine_file.known_line, [*sessions, *needed])], titles
        return [], {}

    def _add(self, refusals: Sequence[Refusal], known: Sequence[bytes], titles: dict[str, str]) -> tuple[int, str]:
        """Count refusals and write them into the file. Those for which it has no room leave their numbers there.

        Args:
            known, titles: as `_needed` returns them.

        Returns:
            How many are lost, and why, as what the file does.
        """
        self.is_used = True
        for refusal in refusals:
            self._count(refusal)
        try:
            room = self._bound - quarantine_file.size(self._paths.refused) - sum(map(len, known))
            has_kept = False
            kept: list[bytes] = []
            lost: list[Refusal] = []
            for refusal in refusals:
                line = refusal.to_line()
                room -= len(line)
                if room >= 0 or (refusal.record is None and refusal.line is None):
                    kept.append(line)
                    has_kept |= refusal.is_kept
                else:
                    room += len(line)
                    lost.append(refusal)
            quarantine_file.append(self._paths.refused, [*known, *kept, *map(Refusal.to_line, _only_counts(lost))])
        except OSError as error:
            return len(refusals), f"cannot be written ({error})"
        if kept or known:
            self._known = {**(self._known or {}), **titles}
        self._has_kept |= has_kept
        return len(lost), f"would exceed {size_text(self._bound)}"

    # images

    def keep_image(self, path: Path, reason: str) -> None:
        """Keep an image that the server rejected. Raises OSError."""
        kept = self._paths.refused_image(path.name)
        notify(f"the server rejected an image ({reason}); it is kept in {kept}")
        path.replace(kept)
        self._add([Refusal("image", plain_reason(reason), t=time.time(), image=path.name)], *self._needed([]))

    # damaged and missing segments

    @property
    def has_uncounted(self) -> bool:
        """Whether `count_missing` is to be called, for segments that were set aside."""
        return bool(self._segments)

    def keep_segment(self, damaged: Damaged) -> None:
        """Rename a damaged segment, so that those after it can be sent. Raises OSError."""
        kept = damaged.path.with_suffix(REFUSED_SUFFIX)
        damaged.path.replace(kept)
        self.is_used = True
        self._segments.append(kept.name)
        self._notify(
            f"session {self._header.session}: {damaged.path} is damaged ({damaged}); it is kept as {kept}, "
            "and what follows it is sent"
        )

    def count_missing(self, first: int | None, last: int | None, stored: int) -> None:
        """Count the records from number `first` to `last`, which are in no segment.

        Args:
            first, last: None if unknown. Damaged segments that were set aside held them; or else nobody knows why.
            stored: number of the last record that the server has.
        """
        segments, self._segments = tuple(self._segments), []
        refusal = Refusal("records", DAMAGED, t=time.time(), segments=segments, first=first, last=last, stored=stored)
        readable = len(readable_lines(self._paths.folder, refusal))
        has_more = last is None and (readable or first is None or stored < first)
        if not has_more and (last is None or stored >= last):  # the server has all of them
            for name in segments:
                with contextlib.suppress(OSError):
                    (self._paths.folder / name).unlink()
            return
        total = max(1, readable)
        if first is not None and last is not None:
            total = last - max(first, stored + 1) + 1
        if not segments:
            refusal = replace(refusal, reason=MISSING)
            self._notify(
                f"session {self._header.session}: records {first} to {last} are missing from {self._paths.folder}: "
                "another process has sent them, or they are lost; what follows them is sent"
            )
        self._add([replace(refusal, total=total)], *self._needed([]))

    def close(self) -> None:
        """Delete the file if nothing in it could be sent again. The journal is delivered, and the server was told."""
        if self._known is not None and not self._has_kept:
            with contextlib.suppress(OSError):
                self._paths.refused.unlink()


def _only_counts(lost: Sequence[Refusal]) -> list[Refusal]:
    """Refusals without what could be sent again, one for each kind and reason."""
    sums: dict[tuple[str, str], Refusal] = {}
    for refusal in lost:
        key = refusal.what, refusal.reason
        total = refusal.total + (sums[key].total if key in sums else 0)
        sums[key] = Refusal(*key, total=total, t=refusal.t)
    return list(sums.values())
