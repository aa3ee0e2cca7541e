"""Settings of the client: from the call, else the environment, else the stored login."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from losswise.util.credentials import Target, load_login
from losswise.util.messages import notify_once
from losswise.util.units import size_text

DEFAULT_BASE_URL = "http://127.0.0.1:3000"
MODES = ("online", "offline", "disabled")
MAX_JOURNAL_BYTES = 2 * 1024**3
END_TIMEOUT_S = 10.0
_NUMBER = re.compile(r"(\d+(?:\.\d+)?) ?([a-z]*)")
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}

_set: dict[str, str] = {}


def set_base_url(base_url: str) -> None:
    """Set the server's address, that of the dashboard, for sessions created from now on.

    Raises:
        TypeError, ValueError: it is not an http address.

    Example:
        >>> import losswise
        >>> losswise.set_base_url("http://127.0.0.1:3000")
    """
    _set["base_url"] = check_base_url(base_url)


def set_api_key(api_key: str) -> None:
    """Set the API key for sessions created from now on.

    Raises:
        TypeError: it is not text.

    Example:
        >>> import losswise
        >>> losswise.set_api_key("LW-...")
    """
    _set["api_key"] = _text(api_key, "the API key").strip()


def check_base_url(base_url: str) -> str:
    """Strip an address of surrounding spaces and trailing slashes.

    Raises:
        TypeError, ValueError: it is not an http address.
    """
    address = _text(base_url, "the address").strip().rstrip("/")
    if not address.startswith(("http://", "https://")) or len(address) <= len("https://"):
        raise ValueError(f"the address must start with http:// or https://, not {base_url!r}")
    return address


def _text(value: str, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text, not {type(value).__name__}")
    return value


def mode() -> str:
    """LW_MODE: "online" (the default), "offline" or "disabled"."""
    chosen = os.environ.get("LW_MODE", "").strip().lower() or "online"
    if chosen in MODES:
        return chosen
    notify_once(("mode", chosen), f"LW_MODE is {chosen!r}; it must be {', '.join(MODES)}; online is used")
    return "online"


def journal_bound() -> int:
    """The largest size of a session's journal, in bytes: LW_JOURNAL_MAX, such as 500MB or 2GiB."""
    units = _UNITS | {f"{prefix}b": factor for prefix, factor in _UNITS.items()}
    return int(_positive("LW_JOURNAL_MAX", "size", units, MAX_JOURNAL_BYTES, size_text(MAX_JOURNAL_BYTES)))


def end_timeout() -> float:
    """Seconds that a session's end waits while the server acknowledges nothing: LW_END_TIMEOUT."""
    return _positive("LW_END_TIMEOUT", "number of seconds", {"": 1, "s": 1}, END_TIMEOUT_S, f"{END_TIMEOUT_S:g} s")


def handles_sigterm() -> bool:
    """Whether SIGTERM ends the sessions before it ends the process: LW_SIGTERM, on unless it is 0."""
    return os.environ.get("LW_SIGTERM", "").strip() != "0"


def _positive(name: str, what: str, units: Mapping[str, float], default: float, default_text: str) -> float:
    chosen = os.environ.get(name, "").strip()
    if not chosen:
        return default
    found = _NUMBER.fullmatch(chosen.lower())
    if found is None or found[2] not in units:
        notify_once((name, chosen), f"{name} is {chosen!r}, which is not a {what}; {default_text} is used")
        return default
    return float(found[1]) * units[found[2]]


def resolve(base_url: str | None = None, api_key: str | None = None) -> Target:
    """Find the address and key to use: arguments, else `set_*`, else LW_BASE_URL and LW_API_KEY, else the stored login.

    A stored key is used only with the address it was stored for.

    Raises:
        TypeError, ValueError: an argument is wrong. A wrong environment variable is a warning instead.
    """
    chosen = check_base_url(base_url) if base_url is not None else _set.get("base_url")
    if chosen is None and (from_environment := os.environ.get("LW_BASE_URL", "").strip()):
        try:
            chosen = check_base_url(from_environment)
        except ValueError as error:
            notify_once(("address", from_environment), f"LW_BASE_URL is ignored: {error}")
    given = "" if api_key is None else _text(api_key, "the API key")
    key = (given or _set.get("api_key") or os.environ.get("LW_API_KEY", "")).strip()
    if not (chosen and key) and (login := load_login()):
        chosen = chosen or login.base_url
        key = key or (str(login.api_key) if login.base_url == chosen else "")
    address = chosen or DEFAULT_BASE_URL
    if key and not (key.isascii() and key.isprintable()):
        notify_once(("key", address), "the API key contains a character that no key has; no key is used")
        key = ""
    return Target(address, key or None)
