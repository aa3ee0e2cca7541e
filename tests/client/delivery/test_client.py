"""What a person reads where a server gives no answer."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from losswise.cli import main
from losswise.delivery.client import Client
from tests.faults.wire import reset
from tests.support.server import eventually

HALF = b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"last":'
BAD_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"
KEPT: list[socket.socket] = []
"""Connections on which nothing is answered."""
NO_GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"

Serve = Callable[[Callable[[socket.socket], object]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that does this with each connection; its port."""
    listeners: list[socket.socket] = []

    def start(handle: Callable[[socket.socket], object]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener, handle), daemon=True).start()
        return int(listener.getsockname()[1])

    def accept(listener: socket.socket, handle: Callable[[socket.socket], object]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
                handle(connection)
            except OSError:
                if listener.fileno() < 0:
                    return

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def answering(data: bytes) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        connection.close()

    return handle


def resetting(connection: socket.socket) -> None:
    connection.recv(1)
    reset(connection)


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (resetting, "the connection was reset"),
        (answering(b""), "it closed the connection without a response"),
        (answering(HALF), "its response is incomplete"),
        (answering(BAD_CHUNK), "its response is incomplete"),
        (answering(NO_GZIP), "its response is not valid HTTP"),
        (answering(b"220 mail.example.com ESMTP\r\n"), "its response is not valid HTTP"),
        (answering(b"\x15\x03\x01\x00\x02\x02\x46"), "its response is not valid HTTP"),
        (KEPT.append, "no response in time"),
    ],
)
def test_a_broken_answer_in_words(serve: Serve, handle: Callable[[socket.socket], object], words: str) -> None:
    answer = Client(f"http://127.0.0.1:{serve(handle)}", "k").get("/api/v2/me", timeout=0.5)
    assert (answer.status, answer.problem, answer.refused) == (0, words, False)


@pytest.mark.parametrize(
    ("address", "key", "words"),
    [
        ("http://127.0.0.1:9", "k", "connection refused"),
        ("http://nowhere.invalid", "k", "its name cannot be resolved"),
        ("http://[::1", "k", "the address is not a URL"),
        ("http://127.0.0.1:9", "secret\nkey", "the API key contains characters that no request can carry"),
        ("http://127.0.0.1:9", "secret €", "the API key contains characters that no request can carry"),
    ],
)
def test_an_address_or_a_key_that_cannot_be_used_in_words(address: str, key: str, words: str) -> None:
    answer = Client(address, key).get("/api/v2/me")
    assert (answer.status, answer.problem) == (0, words)


def test_a_proxy_that_is_away_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert "proxy" in Client("http://example.invalid", "k").get("/api/v2/me").problem


def test_https_to_a_server_that_speaks_none(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    port = serve(answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
    assert Client(f"https://127.0.0.1:{port}", "k").get("/api/v2/me").problem == "it does not speak https"
    assert main(["login", f"https://127.0.0.1:{port}", "--key", "k"]) == 1
    assert "does not speak https; try http://" in capsys.readouterr().err


def dripping(first: bytes, rest: bytes) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(first)
        for _ in range(1_000):
            connection.sendall(rest)
            time.sleep(0.005)

    return handle


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
)
def test_a_body_that_drips_gets_so_many_seconds_in_all(serve: Serve, first: bytes, rest: bytes) -> None:
    client = Client(f"http://127.0.0.1:{serve(dripping(first, rest))}", "k")
    begun = time.monotonic()
    answer = client.get("/api/v2/me", timeout=0.5)
    assert 0.4 < time.monotonic() - begun < 1.5
    assert (answer.status, answer.problem) == (0, "no response in time")


def test_other_threads_see_since_when_a_request_is_under_way(serve: Serve) -> None:
    client = Client(f"http://127.0.0.1:{serve(KEPT.append)}", "k")
    begun = time.monotonic()
    request = threading.Thread(target=lambda: client.get("/api/v2/me", timeout=1.0))
    request.start()
    eventually(lambda: client.asked_at, every=0.01)
    assert begun <= client.asked_at <= time.monotonic()
    request.join()
    assert client.asked_at == 0.0


def test_answers_over_one_connection_have_their_seconds_each(serve: Serve) -> None:
    def handle(connection: socket.socket) -> None:
        for _ in range(4):
            connection.recv(65536)
            time.sleep(0.3)
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"last": 1}')

    client = Client(f"http://127.0.0.1:{serve(handle)}", "k")
    assert [client.get("/api/v2/me", timeout=0.6).body for _ in range(4)] == [{"last": 1}] * 4


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1.5", 1.5),
        ("-3", 0.0),
        ("inf", None),
        ("nan", None),
        ("99999999999", 3600.0),
        ("1e400", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Mon, 01 Jan 0001 00:00:00 +1400", 0.0),
    ],
)
def test_what_a_server_asks_to_wait_is_an_hour_at_most(serve: Serve, header: str, seconds: float | None) -> None:
    busy = f"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: {header}\r\n\r\n".encode()
    answer = Client(f"http://127.0.0.1:{serve(answering(busy))}", "k").get("/api/v2/me", timeout=5.0)
    assert (answer.status, answer.retry_after) == (503, seconds)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_that_is_not_accepted(serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    port = serve(lambda connection: context.wrap_socket(connection, server_side=True))
    problem = Client(f"https://127.0.0.1:{port}", "k").get("/api/v2/me").problem
    assert problem.startswith("its certificate is not accepted: self")
    assert main(["login", f"https://127.0.0.1:{port}", "--key", "k"]) == 1
    assert "certificate" in capsys.readouterr().err
