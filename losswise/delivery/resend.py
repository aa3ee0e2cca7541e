"""Send what is in quarantine again, for example after the server was upgraded or its limits were raised.

The records get a writer of their own, since the server skips the numbers of the one that recorded them. What the server
stores leaves the file. The attempt is noted in the file before it begins, with its writer: one that was interrupted is
continued, and stores nothing twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from losswise.delivery import quarantine_file
from losswise.delivery.batches import batch_body
from losswise.delivery.client import Client
from losswise.delivery.outages import OutageReporter
from losswise.delivery.pacing import Timing
from losswise.delivery.quarantine import Quarantine
from losswise.delivery.quarantine_file import Attempt, Box, Content, Refusal, describe, size_of
from losswise.delivery.refusal_sums import RefusalSums
from losswise.delivery.replay import pause_after, replay
from losswise.delivery.uploader import Step, StepResult, Uploader
from losswise.journal.format import is_record, record_line
from losswise.journal.paths import SUFFIX
from losswise.journal.reader import JournalReader
from losswise.protocol.limits import MAX_REFUSED_REASON_LENGTH
from losswise.protocol.records import is_id, new_id, values_record
from losswise.protocol.refusals import plain_reason
from losswise.util.messages import notify


class NotSent(Exception):
    """What is in quarantine of a journal cannot be sent now; the message says why.

    Attributes:
        is_server_lost: the reason affects other sessions too.
    """

    def __init__(self, problem: str, is_server_lost: bool = False) -> None:
        super().__init__(problem)
        self.is_server_lost = is_server_lost


@dataclass(frozen=True)
class Resent:
    """How many records and images are stored now, how many were rejected again, and how many cannot be read."""

    stored: int
    rejected: int
    unreadable: int


def send_again(box: Box, client: Client, timing: Timing) -> Resent:
    """Send what is in quarantine of one journal.

    Raises:
        NotSent: nothing is lost, and some of it may be stored already.
        OSError: the same, since a file cannot be read or written.
    """
    paths = box.paths
    if not is_id(box.content.header.session):
        raise NotSent("its name does not say which session it belongs to")
    if not paths.sending.acquire():
        raise NotSent("its journal is being sent; try again when its script has ended")
    try:
        if paths.segments():
            raise NotSent("its journal is not sent yet: `losswise sync` first")
        return _Resend(box, client, timing).run()
    finally:
        paths.sending.release(remove=True)


class _Resend:
    """One attempt, or the rest of one that was interrupted."""

    def __init__(self, box: Box, client: Client, timing: Timing) -> None:
        self._box, self._client, self._timing = box, client, timing
        self._path = box.paths.refused
        self._outages = OutageReporter(client, notify, True, timing)

    def run(self) -> Resent:
        content = quarantine_file.read(self._path)
        if not self._box.kept():  # only the server has not been told
            self._tell(content)
            return Resent(0, 0, 0)
        if content.attempt is None:
            content = self._split_segments(content)
            content.attempt = Attempt(new_id(), len(content.refusals))
            quarantine_file.append(self._path, [quarantine_file.attempt_line(content.attempt)])
        for refusal in content.refusals:
            for name in refusal.segments if refusal.is_split else ():
                with contextlib.suppress(FileNotFoundError):
                    (self._path.parent / name).unlink()
        self._send_records(content, content.attempt)
        self._send_images(content, content.attempt)
        return self._finish(content, content.attempt)

    def _split_segments(self, content: Content) -> Content:
        """Write the file anew, with the records of damaged segments as refusals of their own."""
        folder = self._path.parent
        refusals, known = [], list(content.known)
        for refusal in [*content.refusals, *replace(self._box, content=content).unlisted()]:
            if not refusal.segments or refusal.is_split:
                refusals.append(refusal)
                continue
            records = [json.loads(line) for line in quarantine_file.readable_lines(folder, refusal)]
            known += [graph for graph in quarantine_file.graphs_in(folder, refusal) if graph not in known]
            refusals.append(replace(refusal, total=max(0, refusal.total - len(records)), is_split=True))
            refusals += [replace(refusal, total=1, segments=(), record=record) for record in records]
        whole = Content(content.header, known, refusals)
        self._write(whole)
        return whole

    def _write(self, content: Content) -> None:
        head = quarantine_file.head_lines(content.header, content.known)
        quarantine_file.replace_with(self._path, [*head, *(refusal.to_line() for refusal in content.refusals)])

    def _send_records(self, content: Content, attempt: Attempt) -> None:
        """Send the records as a journal of the attempt's writer."""
        graphs = [record for record in content.known if record.get("type") == "graph"]
        tried = content.refusals[: attempt.count]
        indices = [index for index, refusal in enumerate(tried) if refusal.record is not None]
        if not indices and not any(refusal.image for refusal in tried):
            return
        # the first record changes nothing, but the session is made for it, which images need too
        numbered = [values_record({}), *graphs, *(tried[index].record for index in indices)]
        index_of = dict(enumerate(indices, 2 + len(graphs)))  # by number
        header = replace(content.header, writer=attempt.writer, segment=1, first=1, preamble=len(content.known))
        records = [*content.known, *numbered]
        with tempfile.TemporaryDirectory(prefix="losswise-") as folder:
            journal = Path(folder) / f"{self._box.paths.stem}{SUFFIX}"
            journal.write_bytes(header.line() + b"".join(record_line(record or {}) for record in records))
            with contextlib.closing(JournalReader(journal)) as reader:
                quarantine = _AttemptQuarantine(reader, self._path, attempt, index_of)
                # should the session have to be made, its project is named by the record that was rejected
                described = [each.record for each in tried if each.record and each.record.get("type") == "session"]
                quarantine.openings += described
                uploader = Uploader(
                    reader, self._client, True, True, self._outages, timing=self._timing, quarantine=quarantine
                )
                step = replay(uploader, reader, lambda: False, self._goes_on)
                if step.step is Step.DELETED:
                    raise NotSent("it was deleted on the server; `losswise quarantine --delete` drops what is kept")
                if step.step is Step.RETRY:
                    raise NotSent(self._outages.last_problem(), self._outages.is_server_lost())

    def _goes_on(self, result: StepResult | None) -> bool:
        return pause_after(result, self._outages, self._timing)

    def _send_images(self, content: Content, attempt: Attempt) -> None:
        for index, refusal in enumerate(content.refusals[: attempt.count]):
            if refusal.image and index not in attempt.rejected:
                path = self._box.paths.refused_image(refusal.image)
                try:
                    data = path.read_bytes()
                except FileNotFoundError:  # stored by the part of the attempt that was interrupted
                    continue
                sha256 = hashlib.sha256(data).hexdigest()
                response = self._client.put_blob(content.header.session, sha256, data)
                if response.status == 200 and response.body.get("sha256") == sha256:
                    path.unlink()
                elif response.status == 413 or (response.status == 422 and response.code == "bad_blob"):
                    _note_rejected(self._path, attempt, index, response.reason)
                else:
                    raise NotSent(f"{self._client.base_url} {response.trouble}", not response.body)

    def _finish(self, content: Content, attempt: Attempt) -> Resent:
        """Take what is stored out of the file, and tell the server that it is not missing any more."""
        stored = rejected = unreadable = 0
        titles = {record["id"]: str(record.get("title")) for record in content.known if "id" in record}
        left: list[Refusal] = []
        again: list[Refusal] = []
        for index, refusal in enumerate(content.refusals):
            is_tried = index < attempt.count and (refusal.record is not None or refusal.image)
            if not is_tried:
                unreadable += refusal.line is not None
                left.append(refusal)
            elif index in attempt.rejected:
                rejected += 1
                reason = attempt.rejected[index]
                if reason == refusal.reason:
                    left.append(refusal)
                else:
                    left.append(_sent(refusal))
                    if refusal.reason == quarantine_file.DAMAGED:
                        what, total = describe(refusal.record, titles), size_of(refusal.record)
                        refusal = replace(refusal, what=what, total=total)
                    again.append(replace(refusal, reason=reason))
            else:
                stored += 1
                left.append(_sent(refusal))
        content = Content(content.header, content.known, [*_merged(left), *again])
        self._write(content)
        self._tell(content)
        return Resent(stored, rejected, unreadable)

    def _tell(self, content: Content) -> None:
        sums = RefusalSums()
        for refusal in content.refusals:
            sums.add(refusal)
        told = sums.untold()
        response = self._client.post_batch(batch_body(content.header, True, [], None, told))
        is_unknown = response.code in ("unknown_session", "deleted_session")  # nothing is counted there
        if not is_unknown and (response.status != 200 or not response.body):
            raise NotSent(f"{self._client.base_url} {response.trouble}", not response.body)
        if not any(refusal.is_kept for refusal in content.refusals):
            self._path.unlink()


class _AttemptQuarantine(Quarantine):
    """Notes what the server rejects again, before the records after it are sent.

    Args:
        path: the file of the attempt.
        index_of: indices of refusals by the numbers of their records.
    """

    def __init__(self, reader: JournalReader, path: Path, attempt: Attempt, index_of: dict[int, int]) -> None:
        super().__init__(reader, notify=lambda text: None)
        self.earlier = {number for number, index in index_of.items() if index in attempt.rejected}
        self._path, self._attempt, self._index_of = path, attempt, index_of

    def keep_records(self, records: Sequence[tuple[int | None, bytes, str]]) -> None:
        for number, line, reason in records:
            index = self._index_of.get(number) if number is not None else None
            if index is not None:
                _note_rejected(self._path, self._attempt, index, reason)
            elif is_record(line):
                self.openings.append(json.loads(line))


def _note_rejected(path: Path, attempt: Attempt, index: int, reason: str) -> None:
    attempt.rejected[index] = plain_reason(reason)[:MAX_REFUSED_REASON_LENGTH]
    quarantine_file.append(path, [quarantine_file.again_line(index, attempt.rejected[index])])


def _sent(refusal: Refusal) -> Refusal:
    """What is left of a refusal that is stored now, or has another reason: its numbers."""
    return Refusal(refusal.what, refusal.reason, refusal.total, refusal.total, refusal.t)


def _merged(refusals: list[Refusal]) -> list[Refusal]:
    """The refusals, with those that only count as one for each kind and reason."""
    merged: list[Refusal] = []
    places: dict[tuple[str, str], int] = {}
    for refusal in refusals:
        if refusal.is_kept:
            merged.append(refusal)
            continue
        key = (refusal.what, refusal.reason)
        if key in places:
            known = merged[places[key]]
            merged[places[key]] = replace(known, total=known.total + refusal.total, sent=known.sent + refusal.sent)
        else:
            places[key] = len(merged)
            merged.append(Refusal(*key, refusal.total, refusal.sent, refusal.t))
    return merged
