"""HTTP as far as the proxy must know it: where a message ends, and answers that are none."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import zlib
from dataclasses import dataclass

MOST_HEAD = 64 * 1024


class Broken(Exception):
    """The other side closed, reset, or took too long."""


@dataclass
class Message:
    """A request or an answer: its head with the empty line, and its body."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        return self.head + self.body

    @property
    def is_taken(self) -> bool:
        """An answer that says that the request was taken."""
        return self.head.startswith(b"HTTP/1.1 200")

    @property
    def keeps_open(self) -> bool:
        return b"close" not in self.header(b"Connection").lower()

    def header(self, name: bytes) -> bytes:
        found = re.search(rb"(?im)^" + name + rb":\s*(.*?)\r$", self.head)
        return found[1] if found else b""

    def plain_body(self, most: int = 0) -> bytes:
        """The body without its compression, or its first `most` bytes."""
        if self.header(b"Content-Encoding") != b"gzip":
            return self.body[:most] if most else self.body
        return zlib.decompressobj(31).decompress(self.body, most)

    def batch(self) -> tuple[str, int] | None:
        """Writer and number of a batch; None for what has no number."""
        start = self.plain_body(400)
        writer = re.search(rb'"writer":\s*"(\w+)"', start)
        seq = re.search(rb'"seq":\s*(\d+)', start)
        return (writer[1].decode(), int(seq[1])) if writer and seq else None


def read_message(connection: socket.socket, part: float = 1.0) -> Message | None:
    """The next message, or only a part of its body. None where the other side has closed."""
    head = bytearray()
    while b"\r\n\r\n" not in head:
        data = _receive(connection)
        if not data and not head:
            return None
        if not data or len(head) > MOST_HEAD:
            raise Broken("closed within a head")
        head += data
    end = head.index(b"\r\n\r\n") + 4
    message = Message(bytes(head[:end]), b"")
    body = head[end:]
    length = int(int(message.header(b"Content-Length") or 0) * part)
    while len(body) < length:
        data = _receive(connection)
        if not data:
            raise Broken("closed within a body")
        body += data
    message.body = bytes(body[:length]) if part < 1.0 else bytes(body)
    return message


def peek(connection: socket.socket) -> bool:
    """Wait for the next message. False: the other side has closed."""
    return bool(_receive(connection, 1, socket.MSG_PEEK))


def _receive(connection: socket.socket, most: int = 256 * 1024, flags: int = 0) -> bytes:
    try:
        return connection.recv(most, flags)
    except OSError as error:
        raise Broken(str(error)) from error


def send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError as error:
        raise Broken(str(error)) from error


def reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset connection, not an orderly end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _http(status: str, body: bytes, kind: str = "text/html", more: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{more}\r\n".encode() + body


_PAGE = b"<!doctype html><title>Welcome</title><p>Please accept the terms of this network."
_JSON = "application/json"

FOREIGN = (
    _http("200 OK", _PAGE),
    _http("302 Found", b"", more="Location: http://127.0.0.1:9/login\r\n"),
    _http("400 Bad Request", b"<html>bad request</html>"),
    _http("403 Forbidden", b"<html>blocked by policy</html>"),
    _http("404 Not Found", b"<html>no such page</html>"),
    _http("407 Proxy Authentication Required", b"<html>who are you?</html>"),
    _http("410 Gone", b"<html>gone</html>"),
    _http("422 Unprocessable Entity", b"<html>what?</html>"),
    _http("429 Too Many Requests", b'{"error": "busy"}', _JSON, more="Retry-After: 1\r\n"),
    _http("500 Internal Server Error", b'{"error": "a bug"}', _JSON),
    _http("502 Bad Gateway", b"<html>bad gateway</html>"),
    _http("503 Service Unavailable", b"<html>later</html>", more="Retry-After: 1\r\n"),
    _http("503 Service Unavailable", b"<html>later</html>", more="Retry-After: soon\r\n"),
    _http("504 Gateway Timeout", b"<html>too slow</html>"),
    _http("200 OK", b"", _JSON),
    _http("200 OK", b"{}", _JSON),
    _http("200 OK", b'[{"last": 1}]', _JSON),
    _http("200 OK", b'{"last": "1"}', _JSON),
    _http("200 OK", b'{"last":', _JSON),
    _http("200 OK", b'{"last": 1', _JSON, length=40),
    _http("200 OK", b"{}", _JSON, more="Content-Encoding: gzip\r\n"),
    _http("200 OK", b'{"last": null}\xff\xfe', _JSON),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    b"HTTP/1.1 2",
    b"\x15\x03\x01\x00\x02\x02\x46",
    b"\x00" * 2_000,
    b"220 mail.example.com ESMTP\r\n",
)
"""27 answers of captive portals, broken gateways, other servers and other protocols."""
