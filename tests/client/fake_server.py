"""A server of the tests' own that keeps what it is sent and answers as a test wants.

For refusals and faults only: what a real server can show is tested with the real one.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, Any] | str, dict[str, str]] | str
"""Status, body (a text is sent as HTML) and headers; or 'drop' and 'hang'."""


class FakeServer:
    """Answers /api/v2/batches as protocol-v2 says, unless `answer` says otherwise.

    Attributes:
        batches: bodies that came, in order, whatever was answered.
        applied: by (session, writer), the records that were applied, each once.
        answer: called with each batch; None: answer as a server does.
        answer_image: the same for the bytes of an image, called with their hash.
        is_healthy: whether it answers /api/v2/me, as a server does that only refuses a batch.
    """

    def __init__(self) -> None:
        self.batches: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.applied: dict[str, list[dict[str, Any]]] = {}
        self.last: dict[tuple[str, str], int] = {}
        self.blobs: dict[str, bytes] = {}
        self.takes_images = True
        self.answer_image: Callable[[str], Reply | None] = lambda sha256: None
        self.is_healthy = False
        self.answer: Callable[[dict[str, Any]], Reply | None] = lambda batch: None
        self._told: dict[tuple[str, str, str, str], tuple[int, int]] = {}
        self.released = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                me: Reply = (200, {"organization": "o"}, {}) if server.is_healthy else (501, "<html>no</html>", {})
                server._reply(self, me)

            def do_POST(self) -> None:
                server._post(self)

            def do_PUT(self) -> None:
                server._put(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def records(self, type_: str) -> list[dict[str, Any]]:
        return [record for records in self.applied.values() for record in records if record["type"] == type_]

    def refused(self) -> dict[tuple[str, str], int]:
        """How much is not stored, by kind and reason, as a server counts what it is told."""
        found: dict[tuple[str, str], int] = {}
        for (_session, _writer, what, reason), (total, sent) in self._told.items():
            if total > sent:
                found[what, reason] = found.get((what, reason), 0) + total - sent
        return found

    def points(self, name: str) -> list[tuple[int, Any]]:
        """x and value of all points of this name, in the order in which they were applied."""
        return [
            (x, value)
            for record in self.records("points")
            if name in record["y"]
            for x, value in zip(record["x"], record["y"][name], strict=True)
            if value is not None
        ]

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        batch = json.loads(body)
        with self._lock:
            self.batches.append(batch)
            self.headers.append(dict(request.headers))
            reply = self.answer(batch)
            if reply is None or reply == "drop":
                applied = self._apply(batch)
                reply = reply or applied
        if reply == "hang":
            self.released.wait()
            reply = "drop"
        if reply == "drop":
            request.close_connection = True
            request.connection.close()
            return
        self._reply(request, reply)

    def _put(self, request: BaseHTTPRequestHandler) -> None:
        """The bytes of an image, by their hash."""
        sha256 = request.path.rpartition("/")[2]
        data = request.rfile.read(int(request.headers["Content-Length"]))
        reply = self.answer_image(sha256) if self.takes_images else (501, "<html>Unsupported method</html>", {})
        if reply is not None:
            self._reply(request, reply)
            return
        self.blobs[sha256] = data
        self._reply(request, (200, {"sha256": sha256}, {}))

    def _reply(self, request: BaseHTTPRequestHandler, reply: Reply) -> None:
        assert not isinstance(reply, str)
        status, content, headers = reply
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    def _apply(self, batch: dict[str, Any]) -> Reply:
        session, records = batch["session"], batch["records"]
        created = {} if session in self.applied else {"created": True}
        if created:
            if not records or records[0]["type"] != "session":
                return 404, {"error": "no such session", "code": "unknown_session"}, {}
            self.applied[session] = []
        for told in batch.get("refused", []):
            place = (session, batch["writer"], told["what"], told["reason"])
            total, sent = self._told.get(place, (0, 0))
            self._told[place] = (max(total, told["total"]), max(sent, told["sent"]))
        if "seq" not in batch:
            self.applied[session] += records
            return 200, {"last": 0, **created}, {}
        key = (session, batch["writer"])
        first = batch["seq"] - len(records) + 1
        fresh = records[max(0, self.last.get(key, 0) + 1 - first) :]
        self.applied[session] += fresh
        self.last[key] = max(self.last.get(key, 0), batch["seq"])
        return 200, {"last": self.last[key], **created}, {}
