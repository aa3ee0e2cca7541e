"""Turn a query into SQL, for both databases. Every value is a parameter.

A term about something that a session does not have is false, and `!=` and `!~` are the opposite of `=` and `~`. So a
query is true or false for each session, and never unknown as SQL's NULL is.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Connection, Float, and_, case, cast, false, func, literal, not_, or_, select, true
from sqlalchemy.exc import DataError
from sqlalchemy.sql.elements import ColumnElement

from losswise.protocol.limits import STATUSES

from ..db import json_entries
from ..db.engine import is_sqlite
from ..db.many_rows import is_among
from ..db.models import Session
from ..db.patterns import is_literal, problem_of
from . import columns, values
from .entries import Entries, number_of_text
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
_BEGINNING_OF_COMMIT = re.compile(r"[0-9a-fA-F]{7,}")
"""What `commit=` compares with the beginning of a commit: git's own short names have as many digits."""
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
    entries: dict[Field, Entries] = {}
    compiled = {id(leaf): _Leaf(context, leaf, entries) for leaf in leaves(node)}

    def condition(part: Node, rows: Any) -> Condition:
        return _combined(part, lambda leaf: compiled[id(leaf)].condition(rows))

    # what needs no JSON comes first: it narrows the sessions whose JSON is read
    plain: list[Node] = []
    looking: list[Node] = []
    for part in _conjuncts(node):
        (looking if any(compiled[id(leaf)].entries for leaf in leaves(part)) else plain).append(part)
    within = and_(within, *(condition(part, None) for part in plain))
    if not looking:
        return within
    extracted = [column for one in entries.values() for column in one.extracted]
    beside = [compiled[id(leaf)] for part in looking for leaf in leaves(part)]
    for number, leaf in enumerate(leaf for leaf in beside if leaf.entries is None):
        leaf.label = f"leaf_{number}"
        extracted.append(leaf.condition(None).label(leaf.label))
    rows = json_entries.subquery_of(context.connection, within, extracted)
    found = context.connection.execute(select(rows.c.key).where(*(condition(part, rows.c) for part in looking)))
    return is_among(context.connection, _columns.key, list(found.scalars()))


def _conjuncts(node: Node) -> Iterator[Node]:
    """The parts of a query that all have to hold."""
    open_ = [node]
    while open_:
        node = open_.pop()
        if isinstance(node, And):
            open_ += reversed(node.nodes)
        else:
            yield node


def _combined(node: Node, condition: Callable[[Word | Term | Has], Condition]) -> Condition:
    """The condition of a node, of the conditions of its leaves."""
    if isinstance(node, Not):
        return not_(_combined(node.node, condition))
    if isinstance(node, And):
        return and_(true(), *[_combined(each, condition) for each in node.nodes])
    if isinstance(node, Or):
        return or_(false(), *[_combined(each, condition) for each in node.nodes])
    return condition(node)


class _Leaf:
    """A word, a term or a `has`.

    Args:
        known: the entries of fields that other leaves name. A new one is added.

    Attributes:
        entries: what it looks at in JSON; None if that is a column.
        label: of the subquery's column that holds a leaf without entries.
    """

    def __init__(self, context: Context, leaf: Word | Term | Has, known: dict[Field, Entries]) -> None:
        self._context, self._leaf = context, leaf
        self.entries: Entries | None = None
        self.label = ""
        if isinstance(leaf, (Term, Has)) and leaf.field.kind != "column":
            if leaf.field not in known:
                known[leaf.field] = Entries(context.connection, leaf.field, f"entry_{len(known)}")
            self.entries = known[leaf.field]
        if isinstance(leaf, Term):
            self._comparison = _Comparison(context, leaf)

    def condition(self, rows: Any) -> Condition:
        """The condition on the subquery's columns; on the table if they are None."""
        leaf = self._leaf
        if rows is not None and self.entries is None:
            return rows[self.label].is_(true())
        if isinstance(leaf, Word):
            return _columns.search.contains(leaf.text.lower(), autoescape=True)
        if isinstance(leaf, Has):
            if self.entries is not None:
                return self.entries.exists(rows)
            return _is_given(self._context.connection, leaf.field.name)
        if self.entries is not None:
            return self._comparison.of_entries(self.entries, rows)
        return self._comparison.of_column()


def _is_given(connection: Connection, name: str) -> Condition:
    if name == "tags":
        return _some_tag(connection, lambda tag: true())
    column: Any = columns.by_name(name, 0.0)
    if name == "starred":
        return column.is_(true())
    return func.coalesce(column, "") != "" if name in columns.TEXTS else column.isnot(None)


def _some_tag(connection: Connection, condition: Callable[[Any], Any]) -> Condition:
    """One of a session's tags meets the condition."""
    tag = columns.each_tag(connection).c.value
    return select(tag).where(condition(tag)).correlate(Session.__table__).exists()


_TRUTHS = {"true": True, "false": False}


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
            if is_literal(self._term.value):
                return func.instr(text, self._term.value) > 0
            found = func.losswise_matches(text, self._term.value, type_=Boolean())
            return case((text.isnot(None), found))  # a call costs more than a look
        return text.bool_op("~")(literal(self._term.value))

    # params, values and statistics

    def of_entries(self, entries: Entries, rows: Any) -> Condition:
        term = self._term
        text, word, json = entries.text(rows), entries.literal(rows), entries.json(rows)
        if self._operator == "~":
            return self._result(or_(*map(self._matches, (text, word, json))))
        if self._number is not None:
            # a database does not look at each entry's text, which few of them have
            of_text = number_of_text(self._context.connection, text)
            # as a float: SQLite compares the digits of whole numbers beyond 2**53, which floats lack
            number = case((text.isnot(None), of_text), else_=cast(entries.number(rows), Float(53)))
            conditions = [_COMPARE[self._operator](number, self._number)]
            if self._operator == "=":  # numbers that are not finite are stored as texts
                conditions.append(text.in_(self._words()))
            return self._result(or_(*(func.coalesce(condition, false()) for condition in conditions)))
        if self._operator != "=":
            raise self._bad(f"{self._operator} compares numbers, and {term.value!r} is none")
        conditions = [text.in_(self._words()), json == term.value]
        if not term.is_quoted and term.value.lower() in ("true", "false"):
            conditions.append(word == term.value.lower())
        return self._result(or_(*(func.coalesce(condition, false()) for condition in conditions)))

    def _words(self) -> list[str]:
        """The texts that are equal to the value."""
        stored = None if self._term.is_quoted else _NOT_FINITE.get(self._term.value.lower())
        return [self._term.value, *([stored] if stored else [])]

    # columns

    def of_column(self) -> Condition:
        term, name = self._term, self._term.field.name
        if name == "tags":
            return self._of_tags()
        column = columns.by_name(name, self._context.now)
        if name in columns.TEXTS:
            return self._result(self._of_text(column))
        if name == "starred":
            if self._operator != "=" or term.value.lower() not in _TRUTHS:
                raise self._bad("starred is true or false: starred=true")
            return self._result(column.is_(_TRUTHS[term.value.lower()]))
        if self._operator == "~":
            raise self._bad(f"{name} is a number, and ~ searches texts")
        value: float | None
        if name in columns.TIMES:
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
        if term.field.name == "commit" and _BEGINNING_OF_COMMIT.fullmatch(term.value):
            return func.lower(func.substr(column, 1, len(term.value))) == term.value.lower()
        return func.coalesce(column, "") == term.value

    def _of_tags(self) -> Condition:
        """One of the tags is the value, or matches it."""
        if self._operator not in ("=", "~"):
            raise self._bad("tags are texts; use =, != or ~")
        is_match = self._matches if self._operator == "~" else lambda tag: tag == self._term.value
        return self._result(_some_tag(self._context.connection, is_match))
