"""Admission control for write requests: limit concurrency and buffered bytes.

Excess requests wait, then get 429 or 503.

A write request takes a slot (`AdmissionController.admit`), or is rejected at once if too many requests hold one. It
reads its body chunk by chunk and then starts to work (`Slot.start_work`), each as soon as there is room. v2 batches
of one session work one after another (`Slot.enter_session`): the database has them wait for each other anyway, and
there they would take the places of others. There is no deadlock: requests that work wait for nothing, and the one
that was admitted first needs no room for its bytes.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol

from ..exceptions import ApiError

MAX_WORKING = 12
# The received bytes of all bodies, and the cost of those that are being worked on. The oldest request may exceed it.
MAX_BYTES = 64 * 1024 * 1024
# No body costs more, so that a large one finds room among small ones, too.
MAX_COST_BYTES = MAX_BYTES // 2
# What a decoded value costs at least: as an object it takes about fifty bytes, however short its text is.
MIN_VALUE_BYTES = 16
READ_CHUNK_BYTES = 64 * 1024
# A body of which no chunk arrives in this time is cut off if others wait.
MAX_CHUNK_WAIT_S = 10.0
RECHECK_INTERVAL_S = 1.0


class Policy(NamedTuple):
    """The treatment of requests of one kind when there is no room.

    Attributes:
        max_requests: how many requests may hold slots when one more comes. Of the 64 threads that are not used by
            streams (cli/wsgi.py), some remain for reading requests.
        max_wait_s: how long a request waits for room.
        status: the HTTP status if it gets none.
    """

    max_requests: int
    max_wait_s: float
    status: int


# A checkpoint of SQLite or a lock is over soon; otherwise these clients retry.
V2 = Policy(40, 5.0, 429)
# The published clients never retry.
V1 = Policy(48, 60.0, 503)


class BodyStream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class AdmissionController:
    """The slots of one process's write requests, in order of admission.

    Args:
        max_working: requests that work at once.
        max_bytes: bytes of all slots together; only the oldest slot may exceed it.
        max_chunk_wait_s: see MAX_CHUNK_WAIT_S.
    """

    def __init__(
        self,
        max_working: int = MAX_WORKING,
        max_bytes: int = MAX_BYTES,
        max_chunk_wait_s: float = MAX_CHUNK_WAIT_S,
    ) -> None:
        self.slots: list[Slot] = []
        self.room = threading.Condition()
        self.max_chunk_wait_s = max_chunk_wait_s
        self._max_working = max_working
        self._max_bytes = max_bytes

    @contextmanager
    def admit(self, policy: Policy = V2, connection: socket.socket | None = None) -> Iterator[Slot]:
        """Hold a slot while the context lasts.

        Args:
            connection: the socket that the body comes from, if it can be cut off.

        Raises:
            ApiError: too many requests hold slots.

        Example:
            >>> controller = AdmissionController()
            >>> with controller.admit() as slot:
            ...     slot.start_work(500)
            ...     controller.bytes_held
            500
        """
        slot = Slot(self, policy, connection)
        with self.room:
            if len(self.slots) >= policy.max_requests:
                self.cut_slow_bodies()
                raise slot.rejection()
            self.slots.append(slot)
        try:
            yield slot
        finally:
            with self.room:
                self.slots.remove(slot)
                self.room.notify_all()

    @property
    def bytes_held(self) -> int:
        return sum(slot.bytes_held for slot in self.slots)

    @property
    def working(self) -> int:
        return sum(slot.is_working for slot in self.slots)

    def has_room_for(self, slot: Slot, size: int) -> bool:
        """Return whether the slot may hold this many bytes in all."""
        return slot is self.slots[0] or self.bytes_held - slot.bytes_held + size <= self._max_bytes

    def may_work(self) -> bool:
        return self.working < self._max_working

    def is_free(self, session: str) -> bool:
        """Return whether no request works on this session."""
        return all(slot.session != session for slot in self.slots)

    def cut_slow_bodies(self) -> None:
        """Stop reading bodies that arrive too slowly. Their requests are still answered."""
        now = time.monotonic()
        for slot in self.slots:
            if slot.chunk_due_at < now:
                slot.cut_body()


class Slot:
    """One admitted write request.

    Attributes:
        bytes_held: the bytes that it counts for.
        is_working: whether it is being worked on.
        session: the id of the session that it works on, once it has entered it.
        chunk_due_at: when the chunk that is being read must have arrived (time.monotonic); infinity if none is read.
    """

    def __init__(
        self, controller: AdmissionController, policy: Policy, connection: socket.socket | None = None
    ) -> None:
        self.bytes_held = 0
        self.is_working = False
        self.session: str | None = None
        self.chunk_due_at = float("inf")
        self._controller = controller
        self._policy = policy
        self._connection = connection
        self._is_cut = False

    def read_body(self, stream: BodyStream, length: int | None) -> bytes:
        """Read the body, of `length` bytes if that is known.

        Raises:
            ApiError: there is no room for it, or it came too slowly (408).
        """
        chunks: list[bytes] = []
        while self.bytes_held != length and (chunk := self._read_chunk(stream)):
            chunks.append(chunk)
            self.reserve(self.bytes_held + len(chunk))
        return b"".join(chunks)

    def _read_chunk(self, stream: BodyStream) -> bytes:
        self.chunk_due_at = time.monotonic() + self._controller.max_chunk_wait_s
        try:
            chunk = stream.read(READ_CHUNK_BYTES)
        except Exception:
            if not self._is_cut:
                raise
            chunk = b""
        finally:
            self.chunk_due_at = float("inf")
        if self._is_cut:
            raise ApiError(408, "slow", "the body came too slowly while others waited; send it again")
        return chunk

    def cut_body(self) -> None:
        """Close the receiving side of the connection, so that reading ends and the answer still gets out."""
        if self._connection is not None and not self._is_cut:
            self._is_cut = True
            with suppress(OSError):  # it is closed already
                self._connection.shutdown(socket.SHUT_RD)

    def reserve(self, size: int) -> None:
        """Hold this many bytes in all, once there is room for them."""
        with self._controller.room:
            self._wait_until(lambda: self._controller.has_room_for(self, size))
            self.bytes_held = size

    def start_work(self, cost: int) -> None:
        """Start to work on a body with this cost in bytes (body_cost), once there is room."""
        cost = min(cost, MAX_COST_BYTES)
        with self._controller.room:
            self._wait_until(lambda: self._controller.may_work() and self._controller.has_room_for(self, cost))
            self.bytes_held, self.is_working = cost, True

    def enter_session(self, session: str) -> None:
        """Work on this session from now on, once no other request does. Meanwhile another one may work."""
        controller = self._controller
        with controller.room:
            if not controller.is_free(session):
                self.is_working = False
                controller.room.notify_all()
                self._wait_until(lambda: controller.may_work() and controller.is_free(session))
            self.is_working, self.session = True, session

    def _wait_until(self, has_room: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._policy.max_wait_s
        while not has_room():
            self._controller.cut_slow_bodies()
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.rejection()
            self._controller.room.wait(min(left, RECHECK_INTERVAL_S))

    def rejection(self) -> ApiError:
        """The error for a request that gets no room. Its body is cut off: gunicorn would read the rest of it first."""
        self.cut_body()
        message = "the server is taking in as much as it can; send this again in a second"
        return ApiError(self._policy.status, "busy", message)


controller = AdmissionController()


def body_cost(body: bytes) -> int:
    """The bytes that a JSON body counts for: its length, or more if its values are short."""
    return max(len(body), MIN_VALUE_BYTES * body.count(b","))
