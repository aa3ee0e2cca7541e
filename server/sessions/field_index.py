"""What the sessions of a project have: an index in memory, kept up to date by the versions of the sessions.

A look at the JSON of 10,000 sessions takes about a second. So each process remembers, for each session, its version and
what it has. A request then reads the versions, and the JSON of sessions that have changed since. Sessions of a project
mostly have the same fields, so these sets are stored once.
"""

from __future__ import annotations

import threading
import weakref
from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, select

from ..db.models import Session
from ..db.sqlite_functions import number_of_text
from ..query.nodes import COLUMNS, STATISTICS
from . import progress
from .row_values import walk

MAX_PROJECTS = 32
"""Whose index a process keeps."""
MAX_NAMES = 20_000
"""Different names of a project that are indexed, so that a script that invents names does not fill the memory."""
MAX_PARAMS, MAX_NAME_CHARS = 2_000, 200
"""Params of a session whose values are compared, and the length of their names."""
CHUNK = 500
NOT_FINITE = ("NaN", "Infinity", "-Infinity")

_ALL_STATISTICS = " ".join(STATISTICS)
_columns = Session.__table__.c
_READ = [
    _columns[name]
    for name in (
        *("key", "version", "tag", "status", "reason", "group_name", "tags", "ended_at", "last_x", "max_iter"),
        *("git_commit", "git_branch", "host", "user_name", "note", "starred", "params", "values", "stats"),
    )
]


IndexedField = tuple[str, str, str]
"""Something that a session has: group, name, kind.

The group is "columns", "params", "values" or "statistics". The name is that of the param, the value or the metric, or
those of several columns with spaces between them. The kind is "number", "text", "boolean" or "list", or the statistics
of a metric that exist, with spaces between them.
"""
Signature = tuple[int, ...]
"""What a session has, as numbers of fields."""


class _Indexed(NamedTuple):
    """A session's version, and what it has.

    Attributes:
        params: the names of its params.
        hashes: one of the value of each of these, 64 bits.
    """

    version: int
    signature: Signature
    params: tuple[str, ...]
    hashes: array[int]


class SharedParams:
    """The params of some sessions.

    Attributes:
        names: those that any of the sessions has.
        equal: those that all of them have with one value, with its hash; None before the first session.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.equal: dict[str, int] | None = None

    def add(self, params: tuple[str, ...], hashes: array[int]) -> None:
        if self.equal is None:
            self.equal = dict(zip(params, hashes, strict=True))
        elif self.equal:
            same = self.equal.items() & zip(params, hashes, strict=True)
            if len(same) < len(self.equal):
                self.equal = dict(same)
        self.names.update(params)

    @property
    def differing(self) -> set[str]:
        """Those that some sessions have with another value, or do not have."""
        return self.names - (self.equal or {}).keys()


class FieldIndex:
    """The index of one project."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[int, _Indexed] = {}
        self._signatures: Counter[Signature] = Counter()
        self._params: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._numbers: dict[IndexedField, int] = {}
        self._fields: list[IndexedField] = []

    def count(self, connection: Connection, project: int) -> Counter[IndexedField]:
        """How many sessions of the project have which field."""
        with self._lock:
            self._refresh(connection, project)
            counts: Counter[int] = Counter()
            for signature, sessions in self._signatures.items():
                for number in signature:
                    counts[number] += sessions
            return Counter({self._fields[number]: sessions for number, sessions in counts.items()})

    def collect_params(self, connection: Connection, project: int, keys: Iterable[int], found: SharedParams) -> None:
        """Add the params of these sessions to `found`; keys of other projects are skipped."""
        with self._lock:
            self._refresh(connection, project)
            for key in keys:
                if session := self._sessions.get(key):
                    found.add(session.params, session.hashes)

    def _refresh(self, connection: Connection, project: int) -> None:
        query = select(_columns.key, _columns.version).where(_columns.project_id == project)
        versions: dict[int, int] = dict(connection.execute(query).tuples().all())
        for key in [key for key in self._sessions if key not in versions]:
            self._forget(key)
        known = self._sessions
        changed = [key for key, version in versions.items() if key not in known or known[key].version != version]
        for start in range(0, len(changed), CHUNK):
            for row in connection.execute(select(*_READ).where(_columns.key.in_(changed[start : start + CHUNK]))):
                self._forget(row.key)
                signature = tuple(sorted(self._numbered(fields_of(row))))
                self._signatures[signature] += 1
                params, hashes = hashed_params(row.params)
                self._sessions[row.key] = _Indexed(
                    row.version, signature, self._params.setdefault(params, params), hashes
                )

    def _forget(self, key: int) -> None:
        if (session := self._sessions.pop(key, None)) is not None:
            self._signatures[session.signature] -= 1
            if not self._signatures[session.signature]:
                del self._signatures[session.signature]

    def _numbered(self, fields: Iterable[IndexedField]) -> Iterator[int]:
        for field in fields:
            number = self._numbers.get(field)
            if number is None and len(self._fields) < MAX_NAMES:
                number = self._numbers[field] = len(self._fields)
                self._fields.append(field)
            if number is not None:
                yield number


_indexes: weakref.WeakKeyDictionary[Engine, OrderedDict[int, FieldIndex]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def index_of(connection: Connection, project: int) -> FieldIndex:
    """This process' index of a project."""
    with _lock:
        indexes = _indexes.setdefault(connection.engine, OrderedDict())
        index = indexes.setdefault(project, FieldIndex())
        indexes.move_to_end(project)
        if len(indexes) > MAX_PROJECTS:
            indexes.popitem(last=False)
        return index


def fields_of(row: Row[Any]) -> Iterator[IndexedField]:
    """What a session has."""
    yield "columns", " ".join(_given_columns(row)), ""
    for group, entries in (("params", row.params), ("values", row.values)):
        kinds: dict[str, str] = {}
        for name, value in _entries(entries):
            kind = _kind(value)
            kinds[name] = kind if kinds.get(name, kind) == kind else "mixed"
        yield from ((group, name, kind) for name, kind in kinds.items())
    for metric, statistics in (row.stats or {}).items():
        given = _ALL_STATISTICS
        if None in statistics.values() or len(statistics) < len(STATISTICS):
            given = " ".join(name for name in STATISTICS if statistics.get(name) is not None)
        yield "statistics", metric, given


def hashed_params(params: Any) -> tuple[tuple[str, ...], array[int]]:
    """The names of params, sorted, and a hash of each one's value; see `_canonical` for which are equal.

    A name that is there twice, nested and with dots, counts as one: the one with dots, as in queries.
    """
    values = {name: value for name, value in _entries(params) if len(name) <= MAX_NAME_CHARS}
    for name in values.keys() & (params.keys() if isinstance(params, dict) else ()):
        if params[name] is not None:
            values[name] = params[name]
    names = tuple(sorted(values)[:MAX_PARAMS])
    return names, array("q", [hash(_canonical(values[name])) for name in names])


def _canonical(value: Any) -> str:
    """A text that is the same for values that would be in one group of the session table (sessions.grouping).

    Numbers are equal as floats of 64 bits, also where they are written as texts: 1, 1.0 and "1"; true is equal to
    "true". Lists are equal as JSON texts. Only texts of more than 200 characters are compared whole here, while groups
    have them by their beginnings.

    The hash of a number is no good in its place: that of -1 is that of -2.
    """
    if isinstance(value, bool):
        return repr("true" if value else "false")
    number = number_of_text(value) if isinstance(value, str) else value
    if isinstance(number, (int, float)):
        try:
            return repr(float(number) + 0.0)  # -0.0 is 0.0
        except OverflowError:
            return repr(number)
    return repr(value)


def _given_columns(row: Row[Any]) -> Iterator[str]:
    missing = {
        "tag": not row.tag,
        "reason": not row.reason,
        "group": not row.group_name,
        "tags": not row.tags,
        "ended": row.ended_at is None,
        "progress": progress.progress(row.status, row.last_x, row.max_iter) is None,
        "iter": row.last_x is None,
        "max_iter": row.max_iter is None,
        "commit": not row.git_commit,
        "branch": not row.git_branch,
        "host": not row.host,
        "user": not row.user_name,
        "note": not row.note,
        "starred": not row.starred,
    }
    return (name for name in COLUMNS if not missing.get(name))


def _entries(entries: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of params or values, those in objects with their path. What a query cannot name is left out."""
    return walk(entries, _has_no_field)


def _has_no_field(prefix: str, name: str, value: Any) -> bool:
    """Whether a query cannot name an entry."""
    if not (prefix or (isinstance(value, dict) and value)):
        return not name
    # a path with such a name means something else, or SQLite cannot look for it
    return not name or bool(set(name) & set('."\\')) or not name.isprintable()


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)) or value in NOT_FINITE:
        return "number"
    return "text" if isinstance(value, str) else "list"
