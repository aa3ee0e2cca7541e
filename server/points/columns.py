"""A graph's points as columns of numbers: what a record holds, what a row packs, what a chart reads.

A column is float64. NaN and the infinities are values; an entry without a value holds a NaN of its own, MISSING, which
survives copying and storing (nothing is computed with it). In JSON, values that are not finite are strings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from losswise.protocol.records import encode_number

# a quiet NaN with a payload that no arithmetic produces
MISSING_BITS = np.uint64(0x7FF8_0000_10C5_CAFE)
MISSING: np.float64 = MISSING_BITS.view(np.float64)

NUMBER = np.dtype("<f8")


class PointColumns(NamedTuple):
    """Points of one graph: `x` int64, `t` float64 unix seconds, and in `y` a float64 column per metric name, all of
    the same length."""

    x: np.ndarray
    t: np.ndarray
    y: dict[str, np.ndarray]

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest x; there must be a point."""
        if len(self.x) == 1:  # most records of a script that logs step by step
            return (only := int(self.x[0])), only
        return int(self.x.min()), int(self.x.max())

    def where(self, kept: np.ndarray | slice) -> PointColumns:
        """The points that a mask or a slice selects."""
        return PointColumns(self.x[kept], self.t[kept], {name: column[kept] for name, column in self.y.items()})


def of_record(x: Sequence[int], t: Sequence[float], y: Mapping[str, Sequence[Any]]) -> PointColumns:
    """The columns of a points record, which has been checked, without points and names that have no value."""
    if all(None not in values for values in y.values()):
        whole = {name: np.array(values, dtype=np.float64) for name, values in y.items()} if x else {}
        return PointColumns(np.array(x if y else (), dtype=np.int64), np.array(t if y else (), dtype=np.float64), whole)
    columns = {name: column_of(values) for name, values in y.items()}
    found = {name: has_value(column) for name, column in columns.items()}
    columns = {name: column for name, column in columns.items() if found[name].any()}
    made = PointColumns(np.array(x, dtype=np.int64), np.array(t, dtype=np.float64), columns)
    any_value: np.ndarray = np.zeros(len(made.x), dtype=bool)
    for name in columns:
        any_value |= found[name]
    return made if any_value.all() else made.where(any_value)


def column_of(values: Sequence[Any]) -> np.ndarray:
    """A column out of numbers, None, "NaN", "Infinity" and "-Infinity"."""
    column = np.array(values, dtype=np.float64)
    if None in values:
        column[[value is None for value in values]] = MISSING
    return column


def has_value(column: np.ndarray) -> np.ndarray:
    """A mask: which entries of the column have a value."""
    present: np.ndarray = column.view(np.uint64) != MISSING_BITS
    return present


def json_values(column: np.ndarray) -> list[float | str]:
    """A column without missing entries, as the API's JSON has it."""
    values: list[float | str] = column.tolist()
    for index in np.flatnonzero(~np.isfinite(column)):
        values[index] = encode_number(values[index])  # type: ignore[arg-type]
    return values
