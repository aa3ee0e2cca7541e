"""What a database's error means: something that passes, with the sentence that names it, or a fault of ours."""

from __future__ import annotations

import logging
import sqlite3

import psycopg2
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

FULL = "The database's disk is full; this server goes on by itself once there is room."
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
    "57P01": RESTARTING,
    "57P02": RESTARTING,
    "57P03": RESTARTING,
    "25006": READ_ONLY,
}
# SQLite's own words, which are never translated
_SQLITE = {
    "database or disk is full": FULL,
    "locked": BUSY,
    "disk i/o error": UNREADABLE,
    "unable to open database file": UNREADABLE,
    "attempt to write a readonly database": READ_ONLY,
}


def outage(error: BaseException) -> str | None:
    """A sentence for an error that passes without us, so that the same request may succeed later; else None.

    `error` is SQLAlchemy's, or the driver's own: points are written through its cursor.
    """
    if isinstance(error, PoolTimeoutError):
        return BUSY
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.OperationalError):
        words = str(cause).lower()
        return next((sentence for part, sentence in _SQLITE.items() if part in words), None)
    if isinstance(cause, psycopg2.Error) and cause.pgcode in _POSTGRES:
        return _POSTGRES[cause.pgcode]
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return UNREACHABLE
    # without a code it is the connection that failed, not a statement
    if isinstance(cause, (psycopg2.OperationalError, psycopg2.InterfaceError)) and not cause.pgcode:
        return RESTARTING if "starting up" in str(cause) or "shutting down" in str(cause) else UNREACHABLE
    return None


class Spell:
    """What one thread says of its failures: a line when it begins to fail, a line when it is well again.

    `failing` is how the first line begins. An outage is one, whatever its sentence; any other error is said again
    where its words change.
    """

    def __init__(self, failing: str) -> None:
        self.failing = failing
        self._said: str | None = None

    def failed(self, logger: logging.Logger, error: BaseException) -> None:
        passing = outage(error)
        words = passing or " ".join(f"{type(error).__name__}: {error}".split())[:300]
        what = "outage" if passing else words
        if what != self._said:
            self._said = what
            logger.warning("%s: %s", self.failing, words)

    def well(self, logger: logging.Logger) -> None:
        if self._said is not None:
            self._said = None
            logger.warning("%s: no longer", self.failing)
