"""Limits and constants of the record format."""

from __future__ import annotations

FORMAT = 1
"""Rises when a reader of the old format would go wrong."""


KINDS = ("min", "max")
STATUSES = ("active", "complete", "failed", "cancelled")
ENDED = ("complete", "failed", "cancelled")

MAX_BATCH_BYTES = 32 * 1024 * 1024
MAX_BATCH_POINTS = 200_000
MAX_BATCH_VALUES = 4_000_000
"""Places times names, of all points records; a place without a value counts, too."""
MAX_BLOB_BYTES = 8 * 1024 * 1024
MAX_NAME = 500
MAX_NAMES = 1_000
MAX_GRAPHS = 2_000
MAX_TEXT = 1024 * 1024

LATEST = 253_402_300_799
"""The last second of the year 9999: a time after it, or before 1970, is no time."""

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
