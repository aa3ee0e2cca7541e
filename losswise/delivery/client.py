"""The wire: one keep-alive connection to a server, at most ten requests a second a process."""

from __future__ import annotations

import gzip
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from losswise.delivery.network_errors import _is_refused, _problem
from losswise.delivery.pacing import Pace
from losswise.util.guard import guarded

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
"""Seconds for a whole answer."""
QUIET = 10.0
"""Seconds without an answer after which whoever asked is told that it lasts."""
LONGEST_WISH = 3_600.0
"""Seconds that a server may ask to wait, at most."""
GZIP_ABOVE = 2_000
MAX_ANSWER = 4 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What a server said, or that it said nothing that is an answer (`status` 0).

    Attributes:
        status: HTTP status; 0 where no whole answer came.
        body: the JSON object; empty where it is none, which means that it is not our server's.
        problem: in words, why there is no answer.
        refused: nobody listens there, so that waiting long has no sense.
        retry_after: seconds that the server asks to wait, or None.
    """

    status: int
    body: dict[str, Any]
    problem: str = ""
    refused: bool = False
    retry_after: float | None = None

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))

    @property
    def error(self) -> str:
        return str(self.body.get("error", ""))

    @property
    def trouble(self) -> str:
        """What is wrong with a server that answers so, after its address."""
        if self.status == 0:
            return f"cannot be reached ({self.problem})"
        if not self.body:
            return f"takes nothing (HTTP {self.status}, and not a losswise server's answer)"
        return f"takes nothing (HTTP {self.status}{': ' if self.error else ''}{self.error})"


_pace = Pace()


# `requests` would import it on the sender's thread, and it must not set its fork handlers in mid-fork
assert logging

_importing = threading.Lock()
"""Held while `requests` is imported. A child forked in the middle of it could never import it."""


def _after_fork_in_child() -> None:
    global _pace
    _importing.release()
    _pace = Pace()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=guarded("going on in a forked process")(_after_fork_in_child),
    )


class Wire:
    """Requests to one address with one key. Used by one thread.

    Attributes:
        asked_at: when the request that is under way was sent (time.monotonic); 0 where there is none.
        on_quiet: called where an answer has not come after QUIET seconds.
    """

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url = base_url
        self.asked_at = 0.0
        self.on_quiet: Callable[[], None] = lambda: None
        self._api_key = api_key
        self._session: requests.Session | None = None
        self._has_turn = False

    def get(self, path: str, timeout: float = READ_TIMEOUT) -> Answer:
        """GET `path`, such as "/api/v2/me". Never raises."""
        return self._request("GET", path, None, timeout)

    def post_batch(self, body: bytes, timeout: float = READ_TIMEOUT) -> Answer:
        """POST a batch, compressed where that pays. Never raises."""
        return self._request("POST", "/api/v2/batches", body, timeout)

    def put_blob(self, session: str, sha256: str, data: bytes, timeout: float = READ_TIMEOUT) -> Answer:
        """PUT the bytes of an image. Never raises."""
        return self._request("PUT", f"/api/v2/sessions/{session}/blobs/{sha256}", data, timeout)

    def await_turn(self) -> None:
        """Wait until a request may go, so that the next one goes at once."""
        if not self._has_turn:
            _pace.wait()
            self._has_turn = True

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _request(self, method: str, path: str, body: bytes | None, timeout: float) -> Answer:
        self.await_turn()
        self._has_turn = False
        headers = {"Content-Type": "application/json" if method != "PUT" else "application/octet-stream"}
        if method == "POST" and body is not None and len(body) > GZIP_ABOVE:
            body = gzip.compress(body, compresslevel=1)  # level 3 takes twice as long for 2 % less
            headers["Content-Encoding"] = "gzip"
        self.asked_at = time.monotonic()
        try:
            response = self._send(method, path, body, headers, timeout)
            content = _content(response)
        except Exception as error:
            self.close()
            return Answer(0, {}, _problem(error), refused=_is_refused(error))
        finally:
            self.asked_at = 0.0
        return Answer(
            response.status,
            _json_object(content),
            problem=f"HTTP {response.status}",
            retry_after=_seconds(response.headers.get("Retry-After")),
        )

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float) -> Any:
        """One request by way of urllib3's pool. What requests works out anew for each request (proxies,
        certificates, cookies, .netrc) takes longer than all the rest, ten times a second.
        Nothing is redirected, since a POST that is redirected comes back as a GET."""
        if self._session is None:
            self._connect()
        self._patience.most, self._patience.tell_after = timeout, QUIET
        return self._pool.urlopen(
            method,
            self._prefix + path,
            body=body,
            headers={**self._headers, **headers},
            timeout=self._timeout(connect=CONNECT_TIMEOUT, read=timeout),
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,  # what answers may be no server of ours, and not mean to end
        )

    def _connect(self) -> None:
        """The pool that requests would use for this address, with the environment's proxies and certificates."""
        with _importing:
            import requests  # 160 ms: only when something is sent
            from urllib3 import Timeout

            from losswise.delivery.deadline import Patience
        session = requests.Session()
        blank = session.prepare_request(requests.Request("GET", self.base_url, auth=self._authorize))
        url = str(blank.url)
        settings = session.merge_environment_settings(url, {}, True, None, None)
        adapter: Any = session.get_adapter(self.base_url)
        proxy = requests.utils.select_proxy(url, settings["proxies"])
        if proxy:
            proxy = requests.utils.prepend_scheme_if_needed(proxy, "http")
        manager = adapter.proxy_manager_for(proxy) if proxy else adapter.poolmanager
        self._pool = manager.connection_from_url(url)
        adapter.cert_verify(self._pool, url, settings["verify"], settings["cert"])
        self._patience = Patience(lambda: self.on_quiet())
        self._patience.rule(self._pool)
        self._prefix = adapter.request_url(blank, settings["proxies"]).rstrip("/")
        self._headers = dict(blank.headers)
        self._timeout = Timeout
        self._session = session

    def _authorize(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


def _content(response: Any) -> bytes:
    """The body of an answer. Raises where it is longer than any of ours."""
    content = b""
    for part in response.stream(64 * 1024, decode_content=True):
        content += part
        if len(content) > MAX_ANSWER:
            raise OSError("its answer is too long")
    return content


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(header: str | None) -> float | None:
    """Retry-After as seconds, an hour at most: a number, or a date."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(0.0, seconds), LONGEST_WISH) if math.isfinite(seconds) else None
