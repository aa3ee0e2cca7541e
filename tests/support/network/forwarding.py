"""What the proxies of the tests share: a port of their own, and each connection to it joined with one to a server."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, TypeVar

Self = TypeVar("Self", bound="Forwarding")


class Forwarding:
    """Listens on a port of its own; `url` is its address. Who derives from it says where to and how."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def connect(self) -> socket.socket | None:
        """A connection to a server, or None where none takes it."""
        raise NotImplementedError

    def forward(self, client: socket.socket, server: socket.socket) -> None:
        """Hand on what comes, in threads of its own."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self.connect()
            if server is None:
                client.close()
                continue
            server.settimeout(None)
            self.forward(client, server)


def in_thread(function: Any, *given: Any) -> None:
    threading.Thread(target=function, args=given, daemon=True).start()


def connected(port: int) -> socket.socket | None:
    """A connection to this machine's port, if a server listens there."""
    with contextlib.suppress(OSError):
        return socket.create_connection(("127.0.0.1", port), timeout=10)
    return None
