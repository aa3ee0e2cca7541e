"""The last word of a writer that died without one, said by whoever sends its journal."""

from __future__ import annotations

import contextlib

from losswise.journal.format import record_line
from losswise.journal.reader import Reader
from losswise.protocol.records import status_record


def last_word(reader: Reader) -> list[bytes]:
    """The record, as a line, that a dead writer has fallen silent; none where its journal, read to the end, says how
    it ended, or says nothing at all.

    Without it a session that another process has gone on with and ended would be active for another minute.
    """
    if reader.last is None or reader.last.startswith(b'{"type":"status"'):
        return []
    with contextlib.suppress(OSError):
        return [record_line(status_record("cancelled", reader.path.stat().st_mtime, "silent"))]
    return []
