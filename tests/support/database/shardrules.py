"""The rules of a PostgreSQL that shards by a column, checked on the text of statements."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Rules:
    """The rules for statements on tables that are sharded by `column`."""

    def __init__(self, tables: Iterable[str], column: str) -> None:
        names = "|".join(sorted(tables))
        self._tables = [
            re.compile(rf'\b(?:from|join|into|update|copy|using|only)\s+"?({names})\b', re.IGNORECASE),
            re.compile(rf'\bfrom\s+\w+(?:\s+(?:as\s+)?\w+)?\s*,\s*"?({names})\b', re.IGNORECASE),
        ]
        self._named = re.compile(rf"\b{column}\s*(?:=|in\b)(?!\s*(?:\w+\.)?{column}\b)", re.IGNORECASE)
        self._same = re.compile(rf"\w+\.{column}\s*=\s*\w+\.{column}\b", re.IGNORECASE)
        self._column = column

    def tables(self, statement: str) -> list[str]:
        """The sharded tables that the statement mentions, each as often as it does."""
        text = _without_texts(statement)
        return [name.lower() for pattern in self._tables for name in pattern.findall(text)]

    def breach(self, statement: str) -> str | None:
        """What is wrong with the statement; None if it follows the rules."""
        tables = self.tables(statement)
        statement = _without_texts(statement)
        if not tables:
            return None
        if re.match(r"\s*(insert|copy)\b", statement, re.IGNORECASE):
            columns = re.search(r"\(([^)]*)\)", statement)
            if columns is None or self._column not in columns[1].replace(",", " ").split():
                return f"{self._column} is not among the columns"
            return None
        if len(set(tables)) > 1 and not self._same.search(statement):
            return f"{' and '.join(sorted(set(tables)))} are not joined on {self._column}"
        # a condition for each time that a table is read, but one for those that are joined on the column
        needed = len(tables) - len(self._same.findall(statement))
        if len(self._named.findall(statement)) < needed:
            return f"{self._column} is not given"
        return None


def _without_texts(statement: str) -> str:
    return re.sub(r"'(?:[^']|'')*'", "''", statement)
