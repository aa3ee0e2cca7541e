"""SQL functions that SQLite lacks."""

from __future__ import annotations

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


def number_of_text(text: Any) -> float | None:
    """The number that a text is, or None."""
    is_number = isinstance(text, str) and len(text) <= MAX_NUMBER_CHARS and _NUMBER.fullmatch(text)
    return float(text) if is_number else None
