"""Keyset pagination: rows in a total order, pages that continue after a given row, opaque cursors.

A cursor holds the sort values of a page's last row rather than an offset, so rows that are added or deleted between two
requests neither hide rows from the next page nor repeat them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from sqlalchemy import and_, false, or_
from sqlalchemy.sql.elements import ColumnElement

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from ..exceptions import ApiError

Int64 = Annotated[int, msgspec.Meta(ge=INT64_MIN, le=INT64_MAX)]


@dataclass(frozen=True)
class SortColumn:
    """One column of an ORDER BY. Missing values (NULL) come last in both directions."""

    expression: ColumnElement[Any]
    descending: bool = False

    def order_by(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        return self.expression.is_(None), self.expression.desc() if self.descending else self.expression.asc()

    def is_after(self, value: Any) -> ColumnElement[bool]:
        """SQL condition: this column sorts after `value`, which is not None."""
        beyond = self.expression < value if self.descending else self.expression > value
        return or_(beyond, self.expression.is_(None))


def rows_after(columns: Sequence[SortColumn], values: Sequence[Any]) -> ColumnElement[bool]:
    """SQL condition: the row sorts after the one with these values. The last column must be unique and not null."""
    condition: ColumnElement[bool] = false()
    for column, value in reversed(list(zip(columns, values, strict=True))):
        if value is None:  # only other missing values can follow
            condition = and_(column.expression.is_(None), condition)
        else:
            condition = or_(column.is_after(value), and_(column.expression == value, condition))
    return condition


def write_cursor(cursor: Any) -> str:
    """Encode a cursor (any value that msgspec can write as JSON) for a query string."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str, type_: Any, parameter: str = "cursor") -> Any:
    """Decode a cursor. Raises ApiError (400) if it is not one of this type that the server wrote."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=type_)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise ApiError(400, "bad_request", f"'{parameter}' is not one that this server gave") from None
