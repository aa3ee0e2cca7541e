"""The wire: one keep-alive connection to a server, at most ten requests a second a process."""

from __future__ import annotations

import errno
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

from losswise.guard import guarded

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
PAUSE = 0.1
"""Seconds between the starts of two requests of this process."""


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


class Pace:
    """At most one request each PAUSE seconds, by all threads of this process together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = float("-inf")

    def wait(self) -> None:
        """Wait for the turn of a request; it goes at once after a quiet pause."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._last + PAUSE)
            self._last = turn
        if turn > now:
            time.sleep(turn - now)


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

            from losswise.patience import Patience
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


def _problem(error: BaseException) -> str:
    """Why there is no answer, in words for a person, without the key."""
    causes = _causes(error)
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    for names, words in _PROBLEMS:
        if kinds & names:
            return words
    if "SSLError" in kinds:
        return _tls_problem(causes)
    if "OSError" in kinds:
        return _system_problem(causes, kinds) or str(error)[:200]
    if "ValueError" in kinds and "header" in str(error):  # whose text may hold the key
        return "the API key holds what no request can carry"
    return f"{type(error).__name__}: {error}"[:200]


_PROBLEMS: tuple[tuple[set[str], str], ...] = (
    ({"InvalidHeader", "UnicodeEncodeError"}, "the API key holds what no request can carry"),
    ({"InvalidURL", "LocationParseError"}, "this address is no URL"),
    ({"ProxyError"}, "the proxy that the environment names does not let it through"),
    ({"ConnectionRefusedError"}, "connection refused"),
    ({"NameResolutionError", "gaierror"}, "its name cannot be resolved"),
    ({"RemoteDisconnected"}, "it closed the connection without an answer"),
    ({"ConnectionResetError"}, "the connection was reset"),
    ({"BrokenPipeError", "ConnectionAbortedError"}, "the connection broke off"),
    ({"IncompleteRead"}, "its answer breaks off"),
    ({"BadStatusLine", "HTTPException", "InvalidChunkLength", "DecodeError"}, "its answer is no proper HTTP"),
)
"""Names of exceptions, their base classes included, and what they mean; the first that is found counts."""
NO_HTTPS = "it does not speak https"


def _tls_problem(causes: list[BaseException]) -> str:
    for cause in causes:
        if message := getattr(cause, "verify_message", ""):
            return f"its certificate is not accepted: {message}"
    reasons = {getattr(cause, "reason", None) for cause in causes}
    if reasons & {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL"}:
        return NO_HTTPS
    reason = next((text for text in reasons if isinstance(text, str)), "it broke off")
    return f"no https connection comes about: {reason.replace('_', ' ').lower()}"


def _system_problem(causes: list[BaseException], kinds: set[str]) -> str:
    """What the operating system says; empty where it says nothing."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return str(cause.strerror).lower()
    if any("Timeout" in kind for kind in kinds):
        return "no answer in time"
    said = (cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror)
    return str(next(said, "")).lower()


def _is_refused(error: BaseException) -> bool:
    return any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what lies under it: requests wraps what urllib3 wraps around the system's error."""
    causes: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(causes) < 20:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and cause not in causes:
            causes.append(cause)
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return causes
