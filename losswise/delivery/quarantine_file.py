"""The files in quarantine: what lies beside a journal because it could not be delivered.

Of a journal `STEM` there may be

- `STEM.refused`: JSON lines. The first is the journal's header. Then come refusals (class `Refusal`), each with the
  record that was rejected, and the session and graph records that are needed to send them again (`{"known": ...}`).
  Releases of early 5.0 wrote the rejected records as they are, without anything about them; such lines are read too.
- `STEM.00002.refused`: a damaged segment, as it was.
- `STEM.0123456789ab.refused`: an image that the server rejected, named by the beginning of its SHA-256.

A refusal that holds nothing to send only counts: what is missing from the disk, or was sent again.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from losswise.journal.format import Header, is_record
from losswise.journal.paths import REFUSED_SUFFIX, SUFFIX, Paths
from losswise.protocol.records import is_id

MAX_NAME_CHARS = 60  # of one name in a description
MAX_DESCRIPTION_CHARS = 200
OPENING = (b'{"type":"session"', b'{"type":"graph"')  # how records begin that a segment's preamble repeats
DAMAGED = "the file that holds them is damaged"  # the reason for a damaged segment
MISSING = "they are missing from the disk"
UNKNOWN_REASON = "the server rejected it"
_NAME = re.compile(rf"(.+?)(?:\.(?P<segment>\d{{5,11}})|\.(?P<image>[0-9a-f]{{12}}))?{re.escape(REFUSED_SUFFIX)}")


@dataclass(frozen=True)
class Refusal:
    """Data that was not stored.

    Attributes:
        what: its kind, as in "points loss train_loss".
        reason: why it was not stored.
        total: how many points it has; 1 for other records and for an image.
        sent: how many of them were sent again later and stored.
        t: when it was set aside, in unix seconds.
        number: of the record in its journal; None where it has none.
        record: the record.
        line: what stands in place of the record, if that is not JSON.
        image: the SHA-256 of an image.
        segments: names of the files of damaged segments.
        first, last, stored: of damaged segments: numbers of the first and the last record (None if unknown), and of
            the last one that the server had already.
        is_split: the records of these segments have become refusals of their own.
    """

    what: str
    reason: str
    total: int = 1
    sent: int = 0
    t: float = 0.0
    number: int | None = None
    record: dict[str, Any] | None = None
    line: str | None = None
    image: str | None = None
    segments: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None
    stored: int = 0
    is_split: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether there is something that could be sent again."""
        has_segments = self.segments and not self.is_split
        return bool(self.record is not None or self.line is not None or self.image or has_segments)

    def to_line(self) -> bytes:
        given = {name: value for name, default in _DEFAULTS.items() if (value := getattr(self, name)) != default}
        return json.dumps(given, separators=(",", ":")).encode() + b"\n"


_DEFAULTS = {each.name: each.default for each in fields(Refusal)}


@dataclass
class Attempt:
    """An attempt to send refusals again that has not come to its end.

    It is in the file as lines of its own, written before what they tell of: so it can be continued, and stores nothing
    twice.

    Attributes:
        writer: the id under which they are sent.
        count: the first so many refusals of the file take part.
        rejected: by index, the reason for which the server rejected a refusal again.
    """

    writer: str
    count: int
    rejected: dict[int, str] = field(default_factory=dict)


@dataclass
class Content:
    """The content of a file `STEM.refused`."""

    header: Header
    known: list[dict[str, Any]] = field(default_factory=list)  # session and graph records
    refusals: list[Refusal] = field(default_factory=list)
    attempt: Attempt | None = None


def read(path: Path, with_records: bool = True) -> Content:
    """Read a file `STEM.refused`. What is not there is empty. Raises OSError.

    Args:
        with_records: if False, an empty record takes the place of each rejected one but session and graph records.
    """
    content = Content(_header_from_name(path))
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        for line in file:
            line = line.rstrip(b"\n")
            try:
                _read_line(content, line)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                if line:
                    content.refusals.append(Refusal("unreadable", UNKNOWN_REASON, line=line.decode("latin-1")))
            if content.refusals and not with_records:
                content.refusals[-1] = _without_record(content.refusals[-1])
    return content


def _without_record(refusal: Refusal) -> Refusal:
    is_opening = refusal.record is not None and refusal.record.get("type") in ("session", "graph")
    record = refusal.record if is_opening or refusal.record is None else {}
    return replace(refusal, record=record, line=None if refusal.line is None else "")


def _read_line(content: Content, line: bytes) -> None:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    if "losswise" in value:
        content.header = Header.parse(line)
    elif "known" in value:
        if isinstance(value["known"]["type"], str):
            content.known.append(value["known"])
    elif "attempt" in value:
        content.attempt = Attempt(str(value["attempt"]), int(value["count"]))
    elif "again" in value and content.attempt is not None:
        content.attempt.rejected[int(value["again"])] = str(value["reason"])
    elif "type" in value:  # a record as it is
        content.refusals.append(Refusal(describe(value), UNKNOWN_REASON, size_of(value), record=value))
    elif "what" in value:
        given = {name: given for name, given in value.items() if name in _DEFAULTS}
        given["segments"] = tuple(given.get("segments") or ())
        refusal = Refusal(**{"reason": UNKNOWN_REASON, **given})
        if not all(type(number) is int for number in (refusal.total, refusal.sent, refusal.stored)):
            raise TypeError("not a number")
        content.refusals.append(refusal)
    else:
        raise ValueError("neither a refusal nor a record")


def _header_from_name(path: Path) -> Header:
    """The session and the writer in a file's name, which is that of its journal."""
    words = path.name.partition(".")[0].split("-")
    session, writer = (word if is_id(word) else "" for word in ["", "", *words][-2:])
    return Header(session, writer, base_url="")


def attempt_line(attempt: Attempt) -> bytes:
    return json.dumps({"attempt": attempt.writer, "count": attempt.count}).encode() + b"\n"


def again_line(index: int, reason: str) -> bytes:
    return json.dumps({"again": index, "reason": reason}).encode() + b"\n"


def head_lines(header: Header, known: Iterable[dict[str, Any]]) -> list[bytes]:
    """The first lines of a file."""
    return [header.line(), *map(known_line, known)]


def known_line(record: dict[str, Any]) -> bytes:
    return json.dumps({"known": record}, separators=(",", ":")).encode() + b"\n"


def size(path: Path) -> int:
    """Bytes that a file has; 0 if it does not exist. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def append(path: Path, lines: Iterable[bytes]) -> None:
    """Append lines. Raises OSError."""
    with open(path, "a+b", opener=_open_private) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")  # behind a line that a killed process has begun
        file.writelines(lines)


def replace_with(path: Path, lines: Iterable[bytes]) -> None:
    """Replace a file by one with these lines, or leave it as it is and raise OSError."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".refused-")  # mode 600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(lines)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def describe(record: Any, titles: dict[str, str] | None = None) -> str:
    """A record's type and names, as in "points loss train_loss".

    Args:
        titles: of graphs, by their ids.
    """
    try:
        names = ", ".join(name[:MAX_NAME_CHARS] for name in [*record.get("y", {}), *record.get("values", {})][:5])
        graph = record.get("graph")
        title = record.get("title") or record.get("name") or record.get("tag") or (titles or {}).get(graph, graph)
        parts = (str(record.get("type")), str(title or "")[:MAX_NAME_CHARS], names)
        text = " ".join(part for part in parts if part)
        return text if len(text) <= MAX_DESCRIPTION_CHARS else text[: MAX_DESCRIPTION_CHARS - 1] + "…"
    except (AttributeError, TypeError):
        return "unreadable"


def size_of(record: Any) -> int:
    """How many points a record has; 1 for one of another type."""
    x = record.get("x") if isinstance(record, dict) and record.get("type") == "points" else None
    return max(1, len(x)) if isinstance(x, list) else 1


# damaged segments


def readable_lines(folder: Path, refusal: Refusal) -> list[bytes]:
    """The records of a refusal's damaged segments that can be read and that the server does not have."""
    lines: list[bytes] = []
    for name in refusal.segments:
        with contextlib.suppress(OSError):
            lines += _without_preamble((folder / name).read_bytes().split(b"\n"))
    first, last, stored = refusal.first, refusal.last, refusal.stored
    if first is not None and stored >= first:
        # the end is where the numbers are certain: of a damaged header nobody knows how many lines follow it
        begin = max(0, len(lines) - (last - stored)) if last is not None else stored - first + 1
        lines = lines[begin:]
    return [line for line in lines if is_record(line)]


def graphs_in(folder: Path, refusal: Refusal) -> list[dict[str, Any]]:
    """The graph records in a refusal's damaged segments, those in their preambles included."""
    graphs = []
    for name in refusal.segments:
        with contextlib.suppress(OSError):
            lines = (folder / name).read_bytes().split(b"\n")
            graphs += [json.loads(line) for line in lines if line.startswith(OPENING[1]) and is_record(line)]
    return graphs


def _without_preamble(lines: list[bytes]) -> list[bytes]:
    """The lines of a segment behind its header and its preamble."""
    found = re.search(rb'"preamble": ?(\d+)', lines[0])
    if found is not None:
        return [line for line in lines[1 + int(found[1]) :] if line]
    begin = next((index for index, line in enumerate(lines[1:], 1) if not line.startswith(OPENING)), len(lines))
    return [line for line in lines[begin:] if line]


# finding them


@dataclass(frozen=True)
class Box:
    """What is in quarantine of one journal.

    Attributes:
        paths: of the journal.
        content: of `STEM.refused`.
        images, segments: the other files, by name.
    """

    paths: Paths
    content: Content
    images: tuple[str, ...]
    segments: tuple[str, ...]

    def kept(self) -> list[Refusal]:
        """What could be sent again."""
        return [*(refusal for refusal in self.content.refusals if refusal.is_kept), *self.unlisted()]

    def unlisted(self) -> list[Refusal]:
        """Files that no refusal tells of: those of early 5.0, and of a process that was killed in between."""
        refusals = self.content.refusals
        told = {self.paths.refused_image(refusal.image).name for refusal in refusals if refusal.image}
        told |= {name for refusal in refusals for name in refusal.segments}
        begin = len(self.paths.stem) + 1
        images = [Refusal("image", UNKNOWN_REASON, image=name[begin:][:12]) for name in self.images if name not in told]
        segments = [Refusal("records", DAMAGED, segments=(name,)) for name in self.segments if name not in told]
        return images + segments

    def files(self) -> list[Path]:
        names = [self.paths.refused.name] if self.paths.refused.exists() else []
        return [self.paths.folder / name for name in (*names, *self.images, *self.segments)]


def find_boxes(folder: Path) -> Iterator[Box]:
    """The quarantine of each journal in a folder. Files that cannot be read are passed over."""
    found = map(_NAME.fullmatch, (path.name for path in folder.glob(f"*{REFUSED_SUFFIX}")))
    for stem in sorted({match[1] for match in found if match is not None}):
        with contextlib.suppress(OSError):
            yield open_box(Paths(folder / f"{stem}{SUFFIX}"))


def open_box(paths: Paths, with_records: bool = True) -> Box:
    """The quarantine of a journal; it may be empty. Raises OSError. `with_records` is that of `read`."""
    names = sorted(path.name for path in paths.folder.glob(f"{glob.escape(paths.stem)}.*{REFUSED_SUFFIX}"))
    matches = [match for match in map(_NAME.fullmatch, names) if match is not None and match[1] == paths.stem]
    images = tuple(match[0] for match in matches if match["image"])
    segments = tuple(match[0] for match in matches if match["segment"])
    return Box(paths, read(paths.refused, with_records), images, segments)
