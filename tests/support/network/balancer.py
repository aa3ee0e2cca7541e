"""What stands before several servers: each connection goes to the next server that takes it."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections import Counter

from tests.support.network.forwarding import Forwarding, connected, in_thread


class Balancer(Forwarding):
    """Forwards to the `ports`, in turn. `taken` counts connections by port."""

    def __init__(self, ports: list[int]) -> None:
        self.taken: Counter[int] = Counter()
        self._ports = itertools.cycle(ports)
        self._count = len(ports)
        super().__init__()

    def connect(self) -> socket.socket | None:
        for _ in range(self._count):
            port = next(self._ports)
            if (found := connected(port)) is not None:
                self.taken[port] += 1
                return found
        return None

    def forward(self, client: socket.socket, server: socket.socket) -> None:
        in_thread(_pump, client, server)
        in_thread(_pump, server, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes until the source ends, then end the target."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
