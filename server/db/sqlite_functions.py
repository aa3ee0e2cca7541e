"""SQL functions that SQLite lacks."""

from __future__ import annotations

import math
import re
import sqlite3
from typing import Any

from .patterns import matches

# Texts that are numbers as JSON and Python write them; PostgreSQL knows the expression too. With no more characters
# than that, they are within the range of a float: outside of it PostgreSQL raises an error.
NUMBER = r"[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]{1,2})?"
MAX_NUMBER_CHARS = 100
_NUMBER = re.compile(NUMBER)


def add_functions(connection: sqlite3.Connection) -> None:
    connection.create_function("losswise_number", 1, number_of_text, deterministic=True)
    connection.create_function("losswise_matches", 2, matches, deterministic=True)
    connection.create_aggregate("stddev_samp", 1, SampleDeviation)  # type: ignore[arg-type]


def number_of_text(text: Any) -> float | None:
    """The number that a text is, or None."""
    is_number = isinstance(text, str) and len(text) <= MAX_NUMBER_CHARS and _NUMBER.fullmatch(text)
    return float(text) if is_number else None


class SampleDeviation:
    """The sample standard deviation of numbers, in one pass: PostgreSQL's stddev_samp.

    The updates are those of B. P. Welford, "Note on a method for calculating corrected sums of squares and products",
    Technometrics 4 (1962), 419-420.
    """

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def step(self, value: float | None) -> None:
        if value is None:
            return
        self._count += 1
        delta = value - self._mean
        self._mean += delta / self._count
        self._squares += delta * (value - self._mean)

    def finalize(self) -> float | None:
        return math.sqrt(self._squares / (self._count - 1)) if self._count > 1 else None
