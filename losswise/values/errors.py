"""Describe exceptions, and call user code that may raise."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from losswise.util.guard import guarded
from losswise.values.jsonable import name as plain_name
from losswise.values.jsonable import text as plain_text


@guarded("describing an error")
def described_error(error: BaseException | Mapping[str, Any] | None) -> dict[str, str] | None:
    """Type, message and traceback. What an error cannot say of itself is left empty."""
    if error is None:
        return None
    if isinstance(error, Mapping):
        return {plain_name(key): safely(_said, value, "") for key, value in error.items()}
    if not isinstance(error, BaseException):
        return {"type": "", "message": safely(_said, error, ""), "traceback": ""}
    return {
        "type": type(error).__name__,
        "message": safely(_said, error, ""),
        "traceback": safely(_trace, error, ""),
    }


def _said(value: Any) -> str:
    return plain_text(str(value))


def _trace(error: BaseException) -> str:
    return plain_text("".join(traceback.format_exception(type(error), error, error.__traceback__)))


def safely(convert: Callable[[Any], str], value: Any, otherwise: str) -> str:
    try:
        return convert(value)
    except Exception:
        return otherwise
