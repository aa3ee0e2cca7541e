"""Limits and constants of the record format."""

from __future__ import annotations

# Version of the record format. Raised when a reader of the old format would misunderstand the new one.
FORMAT = 1

KINDS = ("min", "max")  # which value of a metric is the best
STATUSES = ("active", "complete", "failed", "cancelled")
ENDED = ("complete", "failed", "cancelled")

# One batch (one request). A larger one gets 413, and the client splits it.
MAX_BATCH_BYTES = 32 * 1024 * 1024
MAX_BATCH_RECORDS = 100_000
MAX_BATCH_POINTS = 200_000
MAX_BATCH_VALUES = 4_000_000  # points times names, summed over all points records; a missing value counts as well
MAX_BATCH_POINTS_RECORDS = 20_000
MAX_BATCH_COLUMNS = 50_000  # names, summed over all points records
MAX_BATCH_TEXTS = 5_000  # different texts; records of the same name and x count once
MAX_BATCH_IMAGES = 10_000
MAX_BATCH_MARKS = 10_000
MAX_BATCH_REWINDS = 5
MAX_BATCH_CONTAINERS = 1_200_000  # lists and objects of its JSON

# Sizes of one thing
MAX_BLOB_BYTES = 8 * 1024 * 1024  # the file of an image
MAX_NAME_LENGTH = 500  # characters of the name of a metric, graph, text or image sequence
MAX_TEXT_LENGTH = 1024 * 1024  # characters of a text
MAX_JSON_DEPTH = 64  # nested objects and lists of a param, a value or an output
MAX_PARAMS_BYTES = MAX_VALUES_BYTES = 1024 * 1024  # JSON of all params, and of all values, of a session
MAX_METADATA_BYTES = 4 * 1024 * 1024  # JSON of each of a session's git, env, info
MAX_OUTPUTS_BYTES = 1024 * 1024  # JSON of the outputs of an image, and of its metrics

# How many there may be
MAX_NAMES = 1_000  # metrics of a graph
MAX_SESSION_NAMES = 20_000  # metrics of all graphs of a session
MAX_GRAPHS = 2_000  # graphs of a session
MAX_KEPT = 100  # writers that a rewind names

# What a client tells about data that was not stored
MAX_REFUSALS = 100  # groups of the same kind and reason, of one writer
MAX_REFUSED_WHAT_LENGTH = 200  # characters
MAX_REFUSED_REASON_LENGTH = 300

# The last time that is accepted, in unix seconds: the end of the year 9999. The first is 0 (1970).
LATEST_TIME_S = 253_402_300_799

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
