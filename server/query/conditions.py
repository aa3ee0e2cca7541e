"""Turn a query into SQL, for both databases. Every value is a parameter.

A term about something that a session does not have is false, and `!=` and `!~` are the opposite of `=` and `~`. So a
query is true or false for each session, and never unknown as SQL's NULL is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Connection, Float, and_, case, cast, false, func, literal, not_, null, or_, select, true
from sqlalchemy.exc import DataError
from sqlalchemy.sql.elements import ColumnElement

from losswise.protocol.limits import STATUSES

from ..db import json_entries
from ..db.engine import is_sqlite
from ..db.json_entries import Entry
from ..db.many_rows import is_among
from ..db.models import Session
from ..db.patterns import problem_of
from ..db.sqlite_functions import MAX_NUMBER_CHARS, NUMBER
from . import columns, values
from .nodes import And, Field, Has, Node, Not, Or, Term, Word, leaves
from .parser import BadQuery

Condition = ColumnElement[bool]

_columns = Session.__table__.c
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity", "-inf": "-Infinity", "-infinity": "-Infinity"}


@dataclass(frozen=True)
class Context:
    """Who asks, and when.

    Attributes:
        now: unix seconds.
        offset: seconds that the person's clock is ahead of UTC, for dates without a time zone.
    """

    connection: Connection
    now: float
    offset: float = 0.0


def matching(context: Context, within: Condition, node: Node) -> Condition:
    """The SQL condition for the sessions that match `within` and a query.

    If the query looks into JSON, this asks the database once, and the condition names the sessions that were found: it
    is used several times, and each time the JSON of every session would be read.

    Raises:
        BadQuery: a value does not suit its column.
    """
    compiled = [_Leaf(context, leaf, f"leaf_{index}") for index, leaf in enumerate(leaves(node))]
    if not any(leaf.extracted for leaf in compiled):
        conditions = iter([leaf.condition(None) for leaf in compiled])
        return and_(within, _combined(node, lambda: next(conditions)))
    extracted = [column for leaf in compiled for column in leaf.extracted or [leaf.condition(None).label(leaf.label)]]
    rows = json_entries.subquery_of(within, extracted)
    conditions = iter([leaf.condition(rows.c) for leaf in compiled])
    found = context.connection.execute(select(rows.c.key).where(_combined(node, lambda: next(conditions))))
    return is_among(context.connection, _columns.key, list(found.scalars()))


def _combined(node: Node, next_leaf: Callable[[], Condition]) -> Condition:
    """The condition of a node; `next_leaf` returns those of its leaves, in their order."""
    if isinstance(node, Not):
        return not_(_combined(node.node, next_leaf))
    if isinstance(node, And):
        return and_(true(), *[_combined(each, next_leaf) for each in node.nodes])
    if isinstance(node, Or):
        return or_(false(), *[_combined(each, next_leaf) for each in node.nodes])
    return next_leaf()


class _Leaf:
    """A word, a term or a `has`.

    Attributes:
        extracted: what a subquery computes first, for leaves that look into JSON that may be large.
    """

    def __init__(self, context: Context, leaf: Word | Term | Has, label: str) -> None:
        self.label = label
        self._context, self._leaf = context, leaf
        self._entries: list[Entry] = []
        if isinstance(leaf, (Term, Has)) and leaf.field.kind != "column":
            self._entries = _entries(context.connection, leaf.field, label)
        self.extracted = [column for entry in self._entries for column in entry.extracted]
        if isinstance(leaf, Term):
            self._condition = _Comparison(context, leaf)

    def condition(self, rows: Any) -> Condition:
        """The condition on the subquery's columns; on the table if they are None."""
        leaf = self._leaf
        if rows is not None and not self._entries:
            return rows[self.label].is_(true())
        if isinstance(leaf, Word):
            return _columns.search.contains(leaf.text.lower(), autoescape=True)
        if isinstance(leaf, Has):
            if self._entries:
                return or_(*(entry.exists(rows) for entry in self._entries))
            return _is_given(self._context.connection, leaf.field.name)
        return self._condition.of_entries(self._entries, rows) if self._entries else self._condition.of_column()


def _entries(connection: Connection, field: Field, label: str) -> list[Entry]:
    """The entry of a session's JSON that a field names. A name with dots may also be one in objects in objects."""
    if field.kind not in ("params", "values"):
        return [json_entries.statistic(connection, field.name, field.kind, label)]
    column = _columns[field.kind]
    found = [json_entries.entry(connection, column, field.name, label=label)]
    if "." in field.name.strip("."):
        nested = json_entries.nested_entry(connection, column, field.name.split("."), f"{label}_nested")
        found += [nested] if nested is not None else []
    return found


def _is_given(connection: Connection, name: str) -> Condition:
    if name == "tags":
        return _some_tag(connection, lambda tag: true())
    column: Any = _sql_of(name, 0.0)
    if name == "starred":
        return column.is_(true())
    return func.coalesce(column, "") != "" if name in _TEXTS else column.isnot(None)


def _some_tag(connection: Connection, condition: Callable[[Any], Any]) -> Condition:
    """One of a session's tags meets the condition. Databases may hold what is no list."""
    tags = _columns.tags
    if is_sqlite(connection):
        valid: Any = case((func.json_valid(tags) == 1, tags), else_="[]")
        tag = func.json_each(valid).table_valued("value", name="each_tag").c.value
    else:
        valid = case((func.jsonb_typeof(tags) == "array", tags), else_=cast([], tags.type))
        tag = func.jsonb_array_elements_text(valid).table_valued("value", name="each_tag").c.value
    return select(tag).where(condition(tag)).correlate(Session.__table__).exists()


_TEXTS = ("tag", "id", "status", "reason", "group", "note")
_TRUTHS = {"true": True, "false": False}
_TIMES = ("created", "updated", "ended")


def _sql_of(name: str, now: float) -> Any:
    """A column that is not a list."""
    if name == "progress":
        return columns.progress()
    if name == "elapsed":
        return columns.elapsed(now)
    renamed = {"group": "group_name", "iter": "last_x", **{time: f"{time}_at" for time in _TIMES}}
    return _columns[renamed.get(name, name)]


class _Comparison:
    """A term as SQL. Raises BadQuery if its value does not suit its field or its operator."""

    def __init__(self, context: Context, term: Term) -> None:
        self._context, self._term = context, term
        self._is_negated = term.operator in ("!=", "!~")
        self._operator = term.operator.removeprefix("!") if self._is_negated else term.operator
        if self._operator == "~" and (problem := problem_of(term.value) or self._problem_of_postgresql()):
            raise self._bad(f"this is not a regular expression: {problem}")
        self._number = None if term.is_quoted else values.number(term.value)

    def _bad(self, sentence: str) -> BadQuery:
        return BadQuery(sentence, self._term.start, self._term.end)

    def _problem_of_postgresql(self) -> str | None:
        """What PostgreSQL has against a pattern that RE2 takes, such as a brace that stands for itself."""
        connection = self._context.connection
        if is_sqlite(connection):
            return None
        try:
            with connection.begin_nested():
                connection.execute(select(literal("").bool_op("~")(literal(self._term.value))))
        except DataError:
            return "PostgreSQL does not take it; a backslash before a special character makes it an ordinary one"
        return None

    def _result(self, condition: Any) -> Condition:
        known = func.coalesce(condition, false(), type_=Boolean())
        return not_(known) if self._is_negated else known

    def _matches(self, text: Any) -> Any:
        if is_sqlite(self._context.connection):
            return func.losswise_matches(text, self._term.value, type_=Boolean())
        return text.bool_op("~")(literal(self._term.value))

    # params, values and statistics

    def of_entries(self, entries: list[Entry], rows: Any) -> Condition:
        term = self._term
        texts = [entry.text(rows) for entry in entries]
        literals = [entry.literal(rows) for entry in entries]
        if self._operator == "~":
            return self._result(or_(*map(self._matches, [*texts, *literals])))
        if self._number is not None:
            compare = _COMPARE[self._operator]
            numbers = [entry.number(rows) for entry in entries] + [self._number_of(text) for text in texts]
            conditions = [compare(number, self._number) for number in numbers]
            if self._operator == "=":  # numbers that are not finite are stored as texts
                conditions += [text.in_(self._words()) for text in texts]
            return self._result(or_(*(func.coalesce(condition, false()) for condition in conditions)))
        if self._operator != "=":
            raise self._bad(f"{self._operator} compares numbers, and {term.value!r} is none")
        conditions = [text.in_(self._words()) for text in texts]
        if not term.is_quoted and term.value.lower() in ("true", "false"):
            conditions += [word == term.value.lower() for word in literals]
        return self._result(or_(*(func.coalesce(condition, false()) for condition in conditions)))

    def _words(self) -> list[str]:
        """The texts that are equal to the value."""
        stored = None if self._term.is_quoted else _NOT_FINITE.get(self._term.value.lower())
        return [self._term.value, *([stored] if stored else [])]

    def _number_of(self, text: Any) -> Any:
        """The number that a text is: scripts record some of their numbers as text."""
        if is_sqlite(self._context.connection):
            return func.losswise_number(text)
        is_number = and_(func.length(text) <= MAX_NUMBER_CHARS, text.bool_op("~")(literal(f"^(?:{NUMBER})$")))
        return case((is_number, cast(text, Float(53))), else_=null())

    # columns

    def of_column(self) -> Condition:
        term, name = self._term, self._term.field.name
        if name == "tags":
            return self._of_tags()
        column = _sql_of(name, self._context.now)
        if name in _TEXTS:
            return self._result(self._of_text(column))
        if name == "starred":
            if self._operator != "=" or term.value.lower() not in _TRUTHS:
                raise self._bad("starred is true or false: starred=true")
            return self._result(column.is_(_TRUTHS[term.value.lower()]))
        if self._operator == "~":
            raise self._bad(f"{name} is a number, and ~ searches texts")
        value: float | None
        if name in _TIMES:
            value = values.moment(term.value, self._context.now, self._context.offset)
            kind = "a time, such as 2026-11-30 or 2d (two days ago)"
        elif name == "elapsed":
            value, kind = values.duration(term.value), "a duration, such as 1h30m"
        elif name == "progress":
            value, kind = values.share(term.value), "a number, such as 0.5 or 50%"
        else:
            value, kind = values.number(term.value), "a number"
        if value is None:
            raise self._bad(f"{name} compares with {kind}, not {term.value!r}")
        return self._result(_COMPARE[self._operator](cast(column, Float(53)), value))

    def _of_text(self, column: Any) -> Any:
        term = self._term
        if self._operator == "~":
            return self._matches(column)
        if self._operator != "=":
            raise self._bad(f"{term.field.name} is a text; use =, != or ~")
        if term.field.name == "status" and term.value not in STATUSES:
            raise self._bad(f"status is {', '.join(STATUSES[:-1])} or {STATUSES[-1]}, not {term.value!r}")
        return func.coalesce(column, "") == term.value

    def _of_tags(self) -> Condition:
        """One of the tags is the value, or matches it."""
        if self._operator not in ("=", "~"):
            raise self._bad("tags are texts; use =, != or ~")
        is_match = self._matches if self._operator == "~" else lambda tag: tag == self._term.value
        return self._result(_some_tag(self._context.connection, is_match))
