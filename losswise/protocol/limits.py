"""Limits and constants of the record format."""

from __future__ import annotations

# Version of the record format. Raised when a reader of the old format would misunderstand the new one.
FORMAT = 1

KINDS = ("min", "max")  # which value of a metric is the best
STATUSES = ("active", "complete", "failed", "cancelled")
ENDED = ("complete", "failed", "cancelled")

# One batch (one request)
MAX_BATCH_BYTES = 32 * 1024 * 1024
MAX_BATCH_POINTS = 200_000
MAX_BATCH_VALUES = 4_000_000  # points times names, summed over all points records; a missing value counts as well

# Sizes of one thing
MAX_BLOB_BYTES = 8 * 1024 * 1024  # the file of an image
MAX_NAME_LENGTH = 500  # characters of the name of a metric, graph, text or image sequence
MAX_TEXT_LENGTH = 1024 * 1024  # characters of a text

# How many there may be
MAX_NAMES = 1_000  # metrics of a graph
MAX_GRAPHS = 2_000  # graphs of a session
MAX_KEPT = 100  # writers that a rewind names

# The last time that is accepted, in unix seconds: the end of the year 9999. The first is 0 (1970).
LATEST_TIME_S = 253_402_300_799

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
