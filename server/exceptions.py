"""The one exception for a request that is not carried out."""

from __future__ import annotations


class Refused(Exception):
    """HTTP status, a code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
