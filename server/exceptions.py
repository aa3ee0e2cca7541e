"""Exceptions that become error responses."""

from __future__ import annotations

from typing import Any

MAX_MESSAGE_CHARS = 300


class ApiError(Exception):
    """A request that is answered with an error.

    Args:
        status: the HTTP status.
        code: a word for programs, such as "unknown_session".
        message: a sentence for people.
        details: further fields of the JSON answer.
    """

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


class BadRecord(ValueError):
    """A record that breaks the format or cannot be applied; the message says why."""


class BadBatch(ApiError):
    """A batch of which nothing is applied, because records of it are bad.

    Args:
        errors: (zero-based index in the request's `records`, message) of every bad record.
        count: how many records the request has.
    """

    def __init__(self, errors: list[tuple[int, str]], count: int) -> None:
        messages = [message[:MAX_MESSAGE_CHARS] for _, message in errors]
        first = f"record {errors[0][0] + 1} of {count}: {messages[0]}"
        message = first if len(errors) == 1 else f"{len(errors)} bad records; {first}"
        super().__init__(422, "bad_batch", message, records=[index for index, _ in errors], errors=messages)
