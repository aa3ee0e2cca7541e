"""Describe exceptions, and turn objects into text although their code may raise."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from losswise.util.guard import guarded
from losswise.values.jsonable import to_name, to_text


@guarded("describing an error")
def describe_exception(error: BaseException | Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return an exception, or a mapping that describes it already, as the error of a status record.

    Returns:
        A dictionary with `type`, `message` and `traceback`, empty where the exception's own code raises. None for None.
    """
    if error is None:
        return None
    if isinstance(error, Mapping):
        return {to_name(key): try_text(_message, value, "") for key, value in error.items()}
    message = try_text(_message, error, "")
    if not isinstance(error, BaseException):
        return {"type": "", "message": message, "traceback": ""}
    return {"type": type(error).__name__, "message": message, "traceback": try_text(_traceback, error, "")}


def _message(value: Any) -> str:
    return to_text(str(value))


def _traceback(error: BaseException) -> str:
    return to_text("".join(traceback.format_exception(type(error), error, error.__traceback__)))


def try_text(convert: Callable[[Any], str], value: Any, default: str) -> str:
    """Return `convert(value)`, or `default` if that raises, as a user's `__str__` may."""
    try:
        return convert(value)
    except Exception:
        return default
