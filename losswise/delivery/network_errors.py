"""Describe network errors in a few words the user can act on."""

from __future__ import annotations

from typing import Any

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


def is_refused(error: BaseException) -> bool:
    """Whether nothing listens at the address."""
    return any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error))


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
