"""Where a session is sent, and whether: the call, then the environment, then the stored login."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from losswise.util.credentials import load_login
from losswise.util.messages import say_once
from losswise.util.units import size_text

DEFAULT_BASE_URL = "http://127.0.0.1:3000"
MODES = ("online", "offline", "disabled")
JOURNAL_MAX = 2 * 1024**3
END_TIMEOUT = 10.0

_set: dict[str, str] = {}


@dataclass(frozen=True)
class Target:
    """A server's address and the key for it (None: no key for it is known)."""

    base_url: str
    api_key: str | None = field(repr=False)


def set_base_url(base_url: str) -> None:
    """Use this address for the sessions that are made from now on.

    Args:
        base_url: such as "http://127.0.0.1:3000"; where the dashboard is opened.

    Raises:
        TypeError, ValueError: it is not an http address.

    Example:
        >>> import losswise
        >>> losswise.set_base_url("http://127.0.0.1:3000")
    """
    _set["base_url"] = check_base_url(base_url)


def set_api_key(api_key: str) -> None:
    """Use this key for the sessions that are made from now on.

    Raises:
        TypeError: it is not text.

    Example:
        >>> import losswise
        >>> losswise.set_api_key("LW-...")
    """
    if not isinstance(api_key, str):
        raise TypeError(f"the API key must be text, not {type(api_key).__name__}")
    _set["api_key"] = api_key.strip()


def check_base_url(base_url: str) -> str:
    """The address without spaces around and slashes at its end.

    Raises:
        TypeError, ValueError: it is not an http address.
    """
    if not isinstance(base_url, str):
        raise TypeError(f"the address must be text, not {type(base_url).__name__}")
    address = base_url.strip().rstrip("/")
    if not address.startswith(("http://", "https://")) or len(address) <= len("https://"):
        raise ValueError(f"the address must start with http:// or https://, not {base_url!r}")
    return address


def mode() -> str:
    """LW_MODE: online (also where it is not set), offline or disabled."""
    chosen = os.environ.get("LW_MODE", "").strip().lower() or "online"
    if chosen in MODES:
        return chosen
    say_once(("mode", chosen), f"LW_MODE is {chosen!r}; it can be {', '.join(MODES)}. Taken as online.")
    return "online"


def journal_bound() -> int:
    """Bytes that a session's journal may take on the disk: LW_JOURNAL_MAX, such as 500MB or 2GiB."""
    return int(_positive("LW_JOURNAL_MAX", _SIZE, JOURNAL_MAX))


def end_timeout() -> float:
    """Seconds that a session's end waits for a server that acknowledges nothing: LW_END_TIMEOUT."""
    return _positive("LW_END_TIMEOUT", _SECONDS, END_TIMEOUT)


def _positive(name: str, pattern: re.Pattern[str], default: float) -> float:
    chosen = os.environ.get(name, "").strip()
    if not chosen:
        return default
    found = pattern.fullmatch(chosen)
    if found is None:
        wanted, taken = ("size", size_text(default)) if pattern is _SIZE else ("number of seconds", f"{default:g} s")
        say_once((name, chosen), f"{name} is {chosen!r}, which is no {wanted}; {taken} is taken")
        return default
    unit = found[2].lower().removesuffix("b") if pattern is _SIZE else ""
    return float(found[1]) * _UNITS[unit]


_SECONDS = re.compile(r"(\d+(?:\.\d+)?)( ?s)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?i?b?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def resolve(base_url: str | None = None, api_key: str | None = None) -> Target:
    """The address and key in force: of the call, else as set, else LW_BASE_URL and LW_API_KEY, else stored.

    A stored key is used for the address that it was stored with only.

    Raises:
        TypeError, ValueError: an argument is wrong (what the environment holds is warned about instead).
    """
    login = load_login()
    if base_url is not None:
        address = check_base_url(base_url)
    else:
        address = _set.get("base_url") or _address_from_environment() or ""
        if not address:
            address = login.base_url if login else DEFAULT_BASE_URL
    if api_key is not None and not isinstance(api_key, str):
        raise TypeError(f"the API key must be text, not {type(api_key).__name__}")
    key = (api_key or _set.get("api_key") or os.environ.get("LW_API_KEY", "")).strip()
    if not key and login and login.base_url == address:
        key = login.api_key
    if key and not (key.isascii() and key.isprintable()):
        say_once(("key", address), "the API key holds a character that no key has; taken as none")
        key = ""
    return Target(address, key or None)


def _address_from_environment() -> str | None:
    chosen = os.environ.get("LW_BASE_URL", "")
    if not chosen.strip():
        return None
    try:
        return check_base_url(chosen)
    except ValueError as error:
        say_once(("address", chosen), f"LW_BASE_URL is passed over: {error}")
        return None
