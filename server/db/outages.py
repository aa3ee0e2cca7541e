"""Tell database outages, which pass by themselves, from other errors, and log them without flooding the log."""

from __future__ import annotations

import logging
import math
import sqlite3
import time

import psycopg2
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

LOG_INTERVAL_S = 60.0
MAX_ERROR_CHARS = 300

FULL = "The database's disk is full; the server continues once there is space."
RESTARTING = "The database is restarting; try again in a moment."
UNREACHABLE = "The database cannot be reached now; try again in a moment."
BUSY = "The database is busy; try again in a moment."
READ_ONLY = "The database takes no changes now; try again in a moment."
UNREADABLE = "The database's disk cannot be read or written now; try again in a moment."

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES = {
    "53100": FULL,
    "53200": BUSY,  # out of memory
    "53300": BUSY,  # too many connections
    "55P03": BUSY,  # lock not available
    "40001": BUSY,
    "40P01": BUSY,  # deadlock
    "57014": BUSY,  # cancelled, since it took too long or this server is stopping
    "57P01": RESTARTING,
    "57P02": RESTARTING,
    "57P03": RESTARTING,
    "25006": READ_ONLY,
}
# parts of SQLite's messages, which are never translated
_SQLITE = {
    "database or disk is full": FULL,
    "locked": BUSY,
    "disk i/o error": UNREADABLE,
    "unable to open database file": UNREADABLE,
    "attempt to write a readonly database": READ_ONLY,
}


def describe_outage(error: BaseException) -> str | None:
    """A sentence for a database error that passes by itself, so that the same request may succeed later.

    None for every other error, which is a bug of ours or of the request.

    Args:
        error: SQLAlchemy's exception or the driver's own: points are written through the driver's cursor.
    """
    if isinstance(error, PoolTimeoutError):
        return BUSY
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.OperationalError):
        message = str(cause).lower()
        return next((sentence for part, sentence in _SQLITE.items() if part in message), None)
    if isinstance(cause, psycopg2.Error) and cause.pgcode in _POSTGRES:
        return _POSTGRES[cause.pgcode]
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return UNREACHABLE
    # without a code it is the connection that failed, not a statement
    if isinstance(cause, (psycopg2.OperationalError, psycopg2.InterfaceError)) and not cause.pgcode:
        return RESTARTING if "starting up" in str(cause) or "shutting down" in str(cause) else UNREACHABLE
    return None


class OutageLogger:
    """Logs once when a background thread starts failing and once when it recovers.

    An outage is logged once, however its sentence changes meanwhile; any other error is logged again if its message
    changes.

    Args:
        failing: how the lines begin.
    """

    def __init__(self, failing: str) -> None:
        self.failing = failing
        self._logged: str | None = None

    def failed(self, logger: logging.Logger, error: BaseException) -> None:
        passing = describe_outage(error)
        message = passing or " ".join(f"{type(error).__name__}: {error}".split())[:MAX_ERROR_CHARS]
        kind = "outage" if passing else message
        if kind != self._logged:
            self._logged = kind
            logger.warning("%s: %s", self.failing, message)

    def recovered(self, logger: logging.Logger) -> None:
        if self._logged is not None:
            self._logged = None
            logger.warning("%s: no longer", self.failing)


class LogLimit:
    """Says whether a line may be logged again that each of many requests or events would log.

    Example:
        >>> limit = LogLimit()
        >>> limit.is_due(), limit.is_due()
        (True, False)
    """

    def __init__(self, interval_s: float = LOG_INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._due_at = -math.inf

    def is_due(self) -> bool:
        """True at most once per interval."""
        now = time.monotonic()
        if now < self._due_at:
            return False
        self._due_at = now + self._interval_s
        return True
