"""Describe network errors in a sentence the user can act on."""

from __future__ import annotations

import errno
from typing import Any


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
