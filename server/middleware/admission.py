"""How much a process takes in at once: what writers send waits or is refused before memory and threads run out.

A request that writes comes in (`Gate.entered`), where it is refused at once if too many are there already. Its body is
read piece by piece, and is at last worked on (`Visit.work`), both as soon as there is room. Who works waits for nobody,
and the one who is there longest needs no room for its bytes: so nobody waits for somebody who waits.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol

from ..exceptions import Refused

WORKING_MOST = 12
"""Requests that are worked on at once."""
BYTES_MOST = 64 * 1024 * 1024
"""What came in of all bodies, and the weight of those that are worked on. One more may be above it."""
HEAVIEST = BYTES_MOST // 2
"""No body counts for more, so that a large one, too, finds room among small ones."""
VALUE = 16
"""Bytes that a value weighs at least: as an object it takes some fifty, however short its text is."""
PIECE = 64 * 1024
SLOW = 10.0
"""Seconds in which a piece must come; else the body is ended where others wait."""


class Manners(NamedTuple):
    """How many may be there when one more comes, the seconds that it waits for room, and its status if it gets none.

    Of the 64 threads that are no streams' (serve.py), some stay for those who look.
    """

    inside: int
    patience: float
    status: int


V2 = Manners(40, 5.0, 429)
"""A checkpoint of SQLite, or a lock, is soon over; else they come again."""
V1 = Manners(48, 60.0, 503)
"""The published clients never come again."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Gate:
    """Those who write: who is there, and whether there is room."""

    def __init__(self, working: int = WORKING_MOST, size: int = BYTES_MOST, slow: float = SLOW) -> None:
        self.inside: list[Visit] = []
        self.room = threading.Condition()
        self.slow = slow
        self._working_most = working
        self._size_most = size

    @contextmanager
    def entered(self, manners: Manners = V2, wire: socket.socket | None = None) -> Iterator[Visit]:
        """A visit that lasts as long as the context. `wire` is where its body comes from, if it can be cut.

        Raises Refused where too many are there already.

        Example:
            >>> gate = Gate()
            >>> with gate.entered() as visit:
            ...     visit.work(500)
            ...     gate.size
            500
        """
        visit = Visit(self, manners, wire)
        with self.room:
            if len(self.inside) >= manners.inside:
                self.end_slow()
                raise visit.refused()
            self.inside.append(visit)
        try:
            yield visit
        finally:
            with self.room:
                self.inside.remove(visit)
                self.room.notify_all()

    @property
    def size(self) -> int:
        return sum(visit.size for visit in self.inside)

    @property
    def working(self) -> int:
        return sum(visit.works for visit in self.inside)

    def has_bytes(self, visit: Visit, size: int) -> bool:
        """Whether the visit may have so many bytes in all."""
        return visit is self.inside[0] or self.size - visit.size + size <= self._size_most

    def has_place(self) -> bool:
        return self.working < self._working_most

    def end_slow(self) -> None:
        """Cut the wires of bodies that come too slowly: reading ends there, and the answer still gets out."""
        now = time.monotonic()
        for visit in self.inside:
            if visit.due < now:
                visit.cut()


class Visit:
    """One request that writes.

    Attributes:
        size: the bytes that it counts for.
        works: whether it is worked on.
        due: when the piece that is being read must be there (time.monotonic).
    """

    def __init__(self, gate: Gate, manners: Manners, wire: socket.socket | None = None) -> None:
        self.size = 0
        self.works = False
        self.due = float("inf")
        self._gate = gate
        self._manners = manners
        self._wire = wire
        self._is_cut = False

    def read(self, stream: Stream, length: int | None) -> bytes:
        """The body, of this length if that is known. Raises Refused: no room for it, or it came too slowly (408)."""
        pieces: list[bytes] = []
        while self.size != length and (piece := self._piece(stream)):
            pieces.append(piece)
            self.claim(self.size + len(piece))
        return b"".join(pieces)

    def _piece(self, stream: Stream) -> bytes:
        self.due = time.monotonic() + self._gate.slow
        try:
            piece = stream.read(PIECE)
        except Exception:
            if not self._is_cut:
                raise
            piece = b""
        finally:
            self.due = float("inf")
        if self._is_cut:
            raise Refused(408, "slow", "the body came too slowly while others waited; send it again")
        return piece

    def cut(self) -> None:
        if self._wire is not None and not self._is_cut:
            self._is_cut = True
            with suppress(OSError):  # it is closed already
                self._wire.shutdown(socket.SHUT_RD)

    def claim(self, size: int) -> None:
        """Count for so many bytes in all, once there is room for them."""
        with self._gate.room:
            self._wait(lambda: self._gate.has_bytes(self, size))
            self.size = size

    def work(self, size: int) -> None:
        """Be worked on as a body that weighs so much, once there is room."""
        size = min(size, HEAVIEST)
        with self._gate.room:
            self._wait(lambda: self._gate.has_place() and self._gate.has_bytes(self, size))
            self.size, self.works = size, True

    def _wait(self, may_go: Callable[[], bool]) -> None:
        until = time.monotonic() + self._manners.patience
        while not may_go():
            self._gate.end_slow()
            left = until - time.monotonic()
            if left <= 0:
                raise self.refused()
            self._gate.room.wait(min(left, 1.0))

    def refused(self) -> Refused:
        """What to raise. What is still on the wire is not waited for: gunicorn would, with all other requests."""
        self.cut()
        sentence = "the server is taking in as much as it can; send this again in a second"
        return Refused(self._manners.status, "busy", sentence)


gate = Gate()


def weight(text: bytes) -> int:
    """The bytes that a JSON text counts for: its own, or more where its values are short."""
    return max(len(text), VALUE * text.count(b","))
