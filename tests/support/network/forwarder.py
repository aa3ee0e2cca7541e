"""A TCP proxy that knows which of its connections are streams of events, and can cut them in the middle of one."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from urllib.parse import unquote

from tests.support.network.forwarding import Forwarding, connected, in_thread


class Forwarder(Forwarding):
    """Forwards to the server's port.

    Attributes:
        asked: the addresses of all streams that were asked for, in order.
        cuts: how many streams were cut.
        holds: whether what streams say is held back, as by a proxy that waits for an answer's end.
    """

    def __init__(self, server_port: int) -> None:
        self.asked: list[str] = []
        self.cuts = 0
        self.holds = False
        self._server_port = server_port
        self._lock = threading.Lock()
        self._streams: dict[socket.socket, str] = {}
        self._to_cut: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        super().__init__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        with self._lock:
            left = list(self._open)
        for connection in left:
            _end(connection)

    @property
    def streams(self) -> list[str]:
        """The addresses of the streams that are open now."""
        with self._lock:
            return list(self._streams.values())

    def cut(self) -> None:
        """Reset each open stream in the middle of the next points that it gets."""
        with self._lock:
            self._to_cut |= set(self._streams)

    def connect(self) -> socket.socket | None:
        return connected(self._server_port)

    def forward(self, client: socket.socket, server: socket.socket) -> None:
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {client, server}
        in_thread(self._up, client, server)
        in_thread(self._down, client, server)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                if data.startswith(b"GET /live?"):
                    address = unquote(data.split(b" ", 2)[1].decode())
                    with self._lock:
                        self._streams[client] = address
                        self.asked.append(address)
                server.sendall(data)
        self._drop(client, server)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                with self._lock:
                    is_cut = client in self._to_cut and b"event: points" in data
                if is_cut:
                    client.sendall(data[: data.index(b"event: points") + 60])
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.cuts += 1
                    break
                if not (self.holds and client in self._streams):
                    client.sendall(data)
        self._drop(client, server)

    def _drop(self, client: socket.socket, server: socket.socket) -> None:
        for connection in (client, server):
            _end(connection)
        with self._lock:
            self._streams.pop(client, None)
            self._to_cut.discard(client)
            self._open -= {client, server}


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
