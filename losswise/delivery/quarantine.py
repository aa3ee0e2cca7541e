"""Files of what cannot be delivered: records and images that the server rejects, and damaged segments."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from losswise.delivery.client import Response
from losswise.journal.paths import REFUSED_SUFFIX, Paths
from losswise.journal.reader import Damaged
from losswise.util.messages import notify

MAX_WARNINGS = 5  # for rejected records of one journal; further ones are only kept
MAX_NAMED_RECORDS = 5  # in one warning
MAX_NAME_CHARS = 60  # of a name in a warning


class Quarantine:
    """The undeliverable data of one journal, in files beside it.

    Args:
        notify: prints a line about data that is missing or damaged. What the server rejects is always reported.
    """

    def __init__(self, paths: Paths, session: str, notify: Callable[[str], None]) -> None:
        self.is_used = False  # something was set aside or is missing
        self._paths, self._session, self._notify = paths, session, notify
        self._warnings = 0
        self._is_gap_reported = False

    def keep_records(self, records: Sequence[tuple[int, bytes, str]]) -> None:
        """Keep records that the server rejected, given by number, line and reason, and warn."""
        self.is_used = True
        self._warnings += 1
        path, are = self._paths.refused, "it is" if len(records) == 1 else "they are"
        # as in "record 7 (text notes): too long" or "2 records: 7 (text notes): too long; 9 (text log): no name"
        named = [f"{number} ({_describe(line)}): {reason}" for number, line, reason in records[:MAX_NAMED_RECORDS]]
        if len(records) > len(named):
            named.append(f"{len(records) - len(named):,} more")
        which = f"record {named[0]}" if len(records) == 1 else f"{len(records):,} records: {'; '.join(named)}"
        try:
            with open(path, "ab") as file:
                file.writelines(line + b"\n" for _number, line, _reason in records)
            kept = f"; {are} kept in {path}"
        except OSError as error:
            kept = f", and {are} lost, since the file {path} cannot be written ({error})"
        if self._warnings <= MAX_WARNINGS:
            notify(f"the server rejected {which}{kept}")
        elif self._warnings == MAX_WARNINGS + 1:
            notify(f"the server rejects more records; they are kept in {path}")

    def keep_image(self, path: Path, reason: str) -> None:
        """Keep an image that the server rejected. Raises OSError."""
        kept = self._paths.folder / f"{self._paths.stem}.{path.name[:12]}{REFUSED_SUFFIX}"
        notify(f"the server rejected an image ({reason}); it is kept in {kept}")
        path.replace(kept)
        self.is_used = True

    def keep_segment(self, damaged: Damaged) -> None:
        """Rename a damaged segment, so that those after it can be sent. Raises OSError."""
        kept = damaged.path.with_suffix(REFUSED_SUFFIX)
        damaged.path.replace(kept)
        self.is_used = self._is_gap_reported = True
        self._notify(
            f"session {self._session}: {damaged.path} is damaged ({damaged}); it is kept as {kept}, "
            "and what follows it is sent"
        )

    def report_gap(self, first: int, last: int) -> None:
        """Report that the records with these numbers are in no segment, unless `keep_segment` has said why."""
        if not self._is_gap_reported:
            self.is_used = True
            self._notify(
                f"session {self._session}: records {first} to {last} are missing from {self._paths.folder}: "
                "another process has sent them, or they are lost; what follows them is sent"
            )
        self._is_gap_reported = False


def rejected_records(response: Response, count: int) -> dict[int, str]:
    """Index and reason of the records in a batch of `count` that a `bad_batch` response names; {} by an old server."""
    named, reasons = response.body.get("records"), response.body.get("errors")
    if not isinstance(named, list):
        return {}
    if not isinstance(reasons, list) or len(reasons) != len(named):
        reasons = [response.reason] * len(named)
    found = zip(named, reasons, strict=True)
    return {index: str(reason) for index, reason in found if type(index) is int and 0 <= index < count}


def quarantined_files(folder: Path) -> list[Path]:
    """The files in quarantine in a folder, by name."""
    return [folder / name for name in sorted(glob.glob(f"*{REFUSED_SUFFIX}", root_dir=folder))]


def _describe(line: bytes) -> str:
    """A record's type and names."""
    try:
        fields = json.loads(line)
        names = ", ".join(name[:MAX_NAME_CHARS] for name in [*fields.get("y", {}), *fields.get("values", {})][:5])
        title = str(fields.get("title") or fields.get("name") or fields.get("graph") or "")[:MAX_NAME_CHARS]
        return " ".join(part for part in (str(fields.get("type")), title, names) if part)[:200]
    except (ValueError, AttributeError, TypeError):
        return "unreadable"
