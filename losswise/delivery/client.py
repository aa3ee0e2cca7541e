"""HTTP client for one server address and API key. Says in a few words why a request failed."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Any

from losswise.util.guard import guarded

CONNECT_TIMEOUT_S = 5.0
MAX_RETRY_AFTER_S = 3_600.0
MIN_GZIP_BYTES = 2_000
MAX_RESPONSE_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 16  # of a response, read at once; small, since the deadline is checked between two pieces only

NO_HTTPS = "it does not speak https"
INVALID_KEY = "the API key contains characters that no request can carry"

# names of exceptions or their base classes, and what they mean; the first match counts
_DESCRIPTIONS: tuple[tuple[set[str], str], ...] = (
    ({"InvalidHeader", "UnicodeEncodeError"}, INVALID_KEY),
    ({"InvalidURL", "LocationParseError"}, "the address is not a URL"),
    ({"ProxyError"}, "the proxy from the environment does not let the request through"),
    ({"ConnectionRefusedError"}, "connection refused"),
    ({"NameResolutionError", "gaierror"}, "its name cannot be resolved"),
    ({"RemoteDisconnected"}, "it closed the connection without a response"),
    ({"ConnectionResetError"}, "the connection was reset"),
    ({"BrokenPipeError", "ConnectionAbortedError"}, "the connection was closed"),
    ({"IncompleteRead"}, "its response is incomplete"),
    ({"BadStatusLine", "HTTPException", "InvalidChunkLength", "DecodeError"}, "its response is not valid HTTP"),
)


@dataclass(frozen=True)
class Response:
    """What the server answered, or why there is no answer."""

    status: int  # of HTTP, or 0 if no complete response came
    body: dict[str, Any]  # the JSON object, or {} if there is none: the response is not from a losswise server
    problem: str = ""  # a few words on what is wrong
    refused: bool = False  # the connection was refused, so waiting does not help
    retry_after: float | None = None  # seconds that the server asks to wait

    @property
    def code(self) -> str:
        """The server's code for the error, such as "bad_batch", or ""."""
        return str(self.body.get("code", ""))

    @property
    def reason(self) -> str:
        """Why the request failed: the server's own words, if there are any."""
        return str(self.body.get("error", "")) or self.problem

    @property
    def trouble(self) -> str:
        """What is wrong with the server, to be read after its address."""
        if self.status == 0:
            return f"cannot be reached ({self.problem})"
        if not self.body:
            return f"rejected the request (HTTP {self.status}, and the response is not from a losswise server)"
        error = f": {self.body['error']}" if self.body.get("error") else ""
        return f"rejected the request (HTTP {self.status}{error})"


@guarded("importing requests")
def preload() -> None:
    """Import what requests need, on the calling thread.

    A child that is forked while another thread imports a module can never import that module.
    """
    for name in ("requests", "encodings.idna", "netrc"):  # the last two are imported by the first request
        import_module(name)


class Client:
    """Requests to one address with one key. For use by one thread at a time.

    Requests go through the connection pool of urllib3 that `requests` would use: a `requests.Session` and the methods
    of its adapter make it, with proxies and certificates from the environment at the first request. `requests` itself
    works all of that out for each request, which takes twice as long as the request, ten times a second. The pool opens
    a new connection whenever it has none, such as after a failure.
    """

    def __init__(self, base_url: str, api_key: str, timeout: float = 30.0) -> None:
        self.base_url = base_url
        self.asked_at = 0.0  # when the current request was sent (`time.monotonic`), or 0; for other threads
        self._timeout, self._api_key = timeout, api_key
        self._pool: Any = None

    def get(self, path: str, timeout: float | None = None) -> Response:
        """GET `path`, such as "/api/v2/me". Never raises."""
        return self._request("GET", path, timeout=timeout)

    def post_batch(self, body: bytes) -> Response:
        """POST a batch, compressed if it is large. Never raises."""
        return self._request("POST", "/api/v2/batches", body)

    def put_blob(self, session: str, sha256: str, data: bytes) -> Response:
        """PUT the bytes of an image. Never raises."""
        return self._request("PUT", f"/api/v2/sessions/{session}/blobs/{sha256}", data)

    def close(self) -> None:
        """Close the connection. The next request opens another."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _request(self, method: str, path: str, body: bytes = b"", timeout: float | None = None) -> Response:
        headers = {"Content-Type": "application/json" if method != "PUT" else "application/octet-stream"}
        if method == "POST" and len(body) > MIN_GZIP_BYTES:
            body = gzip.compress(body, compresslevel=1)  # level 3 takes twice as long and saves 2 %
            headers["Content-Encoding"] = "gzip"
        timeout = self._timeout if timeout is None else timeout
        self.asked_at = time.monotonic()
        try:
            from urllib3 import Timeout

            if self._pool is None:
                self._connect()
            response = self._pool.urlopen(
                method,
                self._prefix + path,
                body=body or None,
                headers={**self._headers, **headers},
                timeout=Timeout(connect=CONNECT_TIMEOUT_S, read=timeout),
                retries=False,
                redirect=False,  # a redirected POST becomes a GET
                assert_same_host=False,
                preload_content=False,  # the response may be endless
                enforce_content_length=True,  # urllib3 1.26 accepts a response that was cut off
            )
            content = b""
            with contextlib.closing(response):  # a connection that is not read to its end cannot be used again
                for piece in response.stream(PIECE_BYTES, decode_content=True):
                    content += piece
                    if len(content) > MAX_RESPONSE_BYTES:
                        raise OSError("its response is too long")
                    # the timeout above is the socket's, and starts again with each byte
                    if time.monotonic() > self.asked_at + timeout:
                        raise TimeoutError("timed out")
        except Exception as error:
            is_refused = any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error))
            return Response(0, {}, describe_network_error(error), is_refused)
        finally:
            self.asked_at = 0.0
        answer = None
        with contextlib.suppress(ValueError):
            answer = json.loads(content)
        fields = answer if isinstance(answer, dict) else {}
        retry_after = _parse_retry_after(response.headers.get("Retry-After", ""))
        return Response(response.status, fields, f"HTTP {response.status}", retry_after=retry_after)

    def _connect(self) -> None:
        import requests  # 70 to 160 ms: only when something is sent

        session = requests.Session()
        # an `auth` that changes nothing: without any, requests takes one from ~/.netrc
        blank = session.prepare_request(requests.Request("GET", self.base_url, auth=lambda request: request))
        url = str(blank.url)
        settings = session.merge_environment_settings(url, {}, True, None, None)
        adapter: Any = session.get_adapter(self.base_url)
        proxy = requests.utils.select_proxy(url, settings["proxies"])
        if proxy:
            proxy = requests.utils.prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
        manager = adapter.proxy_manager_for(proxy) if proxy else adapter.poolmanager
        pool = manager.connection_from_url(url)
        adapter.cert_verify(pool, url, settings["verify"], settings["cert"])
        self._prefix = adapter.request_url(blank, settings["proxies"]).rstrip("/")
        self._headers = {**blank.headers, "Authorization": f"Bearer {self._api_key}"}
        self._pool = pool


def _parse_retry_after(header: str) -> float | None:
    """Parse Retry-After, a number of seconds or a date. Returns seconds, one hour at most, or None."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else None


def describe_network_error(error: BaseException) -> str:
    """Say why there is no response. Never contains the API key."""
    causes = _causes(error)
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    for names, description in _DESCRIPTIONS:
        if kinds & names:
            return description
    if "SSLError" in kinds:
        if message := next(filter(None, (getattr(cause, "verify_message", "") for cause in causes)), ""):
            return f"its certificate is not accepted: {message}"
        reasons = {getattr(cause, "reason", None) for cause in causes}
        if reasons & {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL"}:
            return NO_HTTPS
        reason = next((text for text in reasons if isinstance(text, str)), "connection closed")
        return f"the https connection failed: {reason.replace('_', ' ').lower()}"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "no response in time"
    if system_errors := [cause for cause in causes if isinstance(cause, OSError)]:
        words = (cause.strerror.lower() for cause in system_errors if cause.strerror)
        return next(words, str(error)[:200])
    if "ValueError" in kinds and "header" in str(error):  # the text may contain the key
        return INVALID_KEY
    return f"{type(error).__name__}: {error}"[:200]


def _causes(error: BaseException) -> list[BaseException]:
    """The error and those below it: `requests` wraps what urllib3 wraps around the system's error."""
    causes: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(causes) < 20:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and cause not in causes:
            causes.append(cause)
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return causes
