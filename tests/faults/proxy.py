"""A TCP proxy between a script and a server that does to each request what a schedule says."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator

from tests.faults.schedule import PASS, Fault, Schedule
from tests.faults.wire import FOREIGN, Broken, Message, peek, read_message, reset, send

PATIENCE = 90.0
"""Seconds after which a connection on which nothing happens is given up."""
BAD_GATEWAY = FOREIGN[10]


class Proxy:
    """Listens on a port of its own, which it keeps while it refuses connections.

    Attributes:
        injected: number of faults by kind.
        acknowledged: requests whose answer the client got whole.
        resends: batches that went to the server though it was sent that number before.
        log: what happened to each request, for the message of a failure.
        errors: tracebacks of the proxy's own errors, which would look like faults.
    """

    def __init__(self, server_port: int, schedule: Schedule) -> None:
        self.schedule = schedule
        self.injected: Counter[str] = Counter()
        self.acknowledged: list[Message] = []
        self.resends = 0
        self.log: list[str] = []
        self.errors: list[str] = []
        self._server_port = server_port
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._sent: dict[str, int] = {}
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self._holder = self._bind(0)  # bound and never listening, so that no other process gets the port
        self.port: int = self._holder.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._listener: socket.socket | None = None
        self.listen()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all connections and wait for what is still on its way to the server."""
        self._closing.set()
        self.refuse()
        with self._lock:
            open_, threads = list(self._connections), list(self._threads)
        for connection in open_:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=PATIENCE)
        self._holder.close()

    # connections

    @staticmethod
    def _bind(port: int) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(("127.0.0.1", port))
        return made

    def listen(self) -> None:
        with self._lock:
            if self._closing.is_set() or self._listener is not None:
                return
            self._listener = self._bind(self.port)
            self._listener.listen(64)
        self._spawn(self._accept, self._listener)

    def refuse(self) -> None:
        """Have new connections refused, until `listen` is called."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
            listener.close()

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        with self._lock:
            self._threads = [*(old for old in self._threads if old.is_alive()), thread]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._spawn(self._converse, connection)

    def _converse(self, client: socket.socket) -> None:
        client.settimeout(PATIENCE)
        with self._lock:
            self._connections.add(client)
        try:
            goes_on = not self._closing.is_set()
            while goes_on:
                goes_on = self._exchange(client)
        except Broken:
            reset(client)
        except Exception:
            self.errors.append(traceback.format_exc())
        finally:
            client.close()
            with self._lock:
                self._connections.discard(client)

    def _exchange(self, client: socket.socket) -> bool:
        """One request and what becomes of it. False: the connection ends."""
        if not peek(client):
            return False
        fault = self.schedule.next()
        if fault.kind != PASS:
            self.injected[fault.kind] += 1
        request = read_message(client, fault.part if fault.kind == "cut request" else 1.0)
        if request is None:
            return False
        at, batch = time.monotonic() - self._started, request.batch() if fault.kind != "cut request" else None
        number = f"record {batch[1]} of {batch[0][:4]}" if batch else "no number"
        self.log.append(f"{at:7.3f} s: {fault.kind} ({fault.seconds:.2f} s), {number}, {len(request.body)} bytes")
        return bool(getattr(self, "_" + fault.kind.replace(" ", "_"))(client, request, fault))

    # the server

    @contextlib.contextmanager
    def _forwarded(self, request: Message) -> Iterator[socket.socket]:
        """The request on its way to the server, on a connection of its own."""
        if (batch := request.batch()) is not None:
            with self._lock:
                before = self._sent.get(batch[0], 0)
                self._sent[batch[0]] = max(before, batch[1])
                self.resends += batch[1] <= before
        try:
            with socket.create_connection(("127.0.0.1", self._server_port), timeout=PATIENCE) as server:
                send(server, request.whole)
                yield server
        except OSError as error:
            raise Broken(f"the server: {error}") from error

    def _ask(self, request: Message) -> Message:
        with self._forwarded(request) as server:
            answer = read_message(server)
        if answer is None:
            raise Broken("the server closed without an answer")
        return answer

    def _answer(self, client: socket.socket, request: Message, answer: Message) -> bool:
        send(client, answer.whole)
        if answer.is_taken:
            self.acknowledged.append(request)
        return answer.keeps_open

    # the faults

    def _pass(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        return self._answer(client, request, self._ask(request))

    def _refuse(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        self.refuse()
        reset(client)
        self._closing.wait(fault.seconds)
        self.listen()
        return False

    def _reset(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        raise Broken("as the schedule says")

    def _delay(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        self._closing.wait(fault.seconds / 2)
        answer = self._ask(request)
        size = max(1, len(answer.whole) // 8)
        for start in range(0, len(answer.whole), size):
            send(client, answer.whole[start : start + size])
            self._closing.wait(fault.seconds / 16)
        return answer.keeps_open

    def _cut_request(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        with self._forwarded(request) as server:
            if fault.choice % 2:
                reset(server)
        raise Broken("as the schedule says")

    def _cut_answer(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        whole = self._ask(request).whole
        send(client, whole[: int(len(whole) * fault.part)])
        return False

    def _drop_answer(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        self._ask(request)
        if fault.choice % 2:
            raise Broken("as the schedule says")
        return False

    def _hang(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        self._closing.wait(fault.seconds)
        return False

    def _hang_answer(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        self._ask(request)
        self._closing.wait(fault.seconds)
        return False

    def _foreign_answer(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        if fault.part < 0.3:
            self._ask(request)
        send(client, FOREIGN[fault.choice % len(FOREIGN)])
        return False

    def _repeat(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        if fault.choice % 2:
            self._ask(request)
            return self._answer(client, request, self._ask(request))
        self._spawn(self._ask_late, request, 0.0)  # both at once
        return self._answer(client, request, self._ask(request))

    def _stale(self, client: socket.socket, request: Message, fault: Fault) -> bool:
        self._spawn(self._ask_late, request, fault.seconds)
        send(client, BAD_GATEWAY)
        return False

    def _ask_late(self, request: Message, seconds: float) -> None:
        self._closing.wait(seconds)
        with contextlib.suppress(Broken):
            self._ask(request)
