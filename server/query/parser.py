"""Parse a query, or say what is wrong with it and where."""

from __future__ import annotations

import re
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken
from lark.tree import Meta

from .nodes import COLUMNS, And, Field, Has, Node, Not, Or, Span, Term, Word, leaves, quoted

MAX_QUERY_CHARS = 4_000
MAX_LEAVES = 50

# A token that begins a word or a value does not end in the middle of one: "android" does not begin with AND.
GRAMMAR = r"""
    start: [any]
    ?any: all (OR all)*
    ?all: one (AND? one)*
    ?one: NOT one -> negation
        | "(" any ")"
        | WORD -> word
        | TEXT -> word
        | field OPERATOR value -> term
        | HAS field ")" -> has
    field: WORD -> named
        | TEXT -> param
        | PATH TEXT -> entry
        | STATISTIC (WORD | TEXT) ")" -> statistic
    value: VALUE -> plain
        | TEXT -> quoted

    AND.2: /and(?![^\s()"])/i
    OR.2: /or(?![^\s()"])/i
    NOT.2: /not(?![^\s()"])/i
    HAS.2: /has\(/i
    STATISTIC.2: /(min|max|last|count)\(/i
    PATH.2: /(params|values)\.(?=")/
    OPERATOR: /[<>!=]=|!~|[<>=~]/
    TEXT: /"(?:[^"\\]|\\.)*"/s
    WORD: /(?:[^\s()"=<>!~]|!(?![=~]))+/
    VALUE: /[^\s()"]+/
    %ignore /\s+/
"""
_ESCAPED = re.compile(r'\\(["\\])')  # others are kept: they are those of regular expressions
_OPERATOR = re.compile(r"[<>!=]=|!~|[<>=~]")
# at the end of a part of a query: what something has to follow; a name that is not in quotes
_BEFORE = re.compile(
    rf"((?P<operator>{_OPERATOR.pattern})|(?P<word>(?<![^\s()\"])(?:and|or|not))"
    r"|(?P<function>(?:has|min|max|last|count)\())\s*$",
    re.IGNORECASE,
)
_CALL = re.compile(r"(?P<function>(?:has|min|max|last|count)\()(?P<name>[^()\"]*)$", re.IGNORECASE)


class BadQuery(ValueError):
    """A query that cannot be understood.

    Args:
        message: a sentence.
        start, end: the part that is wrong, in characters.
    """

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message, self.start, self.end = message, start, end


def parse(text: str) -> Node | None:
    """The tree of a query; None if it is empty.

    Raises:
        BadQuery: it cannot be understood.

    Example:
        >>> parse("lr<=0.01 adam")
        And(nodes=(Term(field=Field(kind='params', name='lr'), operator='<=', value='0.01', ...), Word(text='adam')))
    """
    if len(text) > MAX_QUERY_CHARS:
        raise BadQuery(f"a query has at most {MAX_QUERY_CHARS:,} characters", MAX_QUERY_CHARS, len(text))
    try:
        node: Node | None = _ToNodes().transform(_parser.parse(text, start="start"))
    except UnexpectedInput as error:
        raise _bad_query(error, text) from None
    except RecursionError:
        raise BadQuery("this is nested too deeply", 0, len(text)) from None
    if node is not None and sum(1 for _ in leaves(node)) > MAX_LEAVES:
        raise BadQuery(f"a query has at most {MAX_LEAVES} words and terms", 0, len(text))
    return node


_parser = Lark(GRAMMAR, parser="lalr", start=["start", "field"], maybe_placeholders=True, propagate_positions=True)
_with_place = v_args(inline=True, meta=True)


def parse_field(text: str) -> Field:
    """The field that a query would have before an operator.

    Raises:
        BadQuery: the text is no field.
    """
    try:
        if len(text) > MAX_QUERY_CHARS:
            raise UnexpectedInput
        field: Field = _ToNodes().transform(_parser.parse(text, start="field"))
    except UnexpectedInput:
        raise BadQuery(f"{text[:60]!r} is no field, such as lr, values.best or min(loss)", 0, len(text)) from None
    return field


def _span(meta: Meta) -> Span:
    return meta.start_pos, meta.end_pos


def _unquoted(token: Token) -> str:
    return _ESCAPED.sub(r"\1", token[1:-1]) if token.type == "TEXT" else str(token)


@v_args(inline=True)
class _ToNodes(Transformer[Token, Any]):
    """Makes nodes of Lark's tree, from its leaves on."""

    def start(self, node: Node | None) -> Node | None:
        return node

    def any(self, *nodes: Any) -> Node:
        return Or(tuple(node for node in nodes if not isinstance(node, Token)))

    def all(self, *nodes: Any) -> Node:
        return And(tuple(node for node in nodes if not isinstance(node, Token)))

    @_with_place
    def negation(self, meta: Meta, _not: Token, node: Node) -> Node:
        return node.node if isinstance(node, Not) else Not(node, _span(meta))

    @_with_place
    def word(self, meta: Meta, token: Token) -> Node:
        return Word(_unquoted(token), _span(meta))

    @_with_place
    def term(self, meta: Meta, field: Field, operator: Token, value: tuple[Token, bool]) -> Node:
        token, is_quoted = value
        sign = "=" if operator == "==" else str(operator)
        place = token.start_pos or 0, token.end_pos or 0
        return Term(field, sign, _unquoted(token), is_quoted, *place, _span(meta))

    @_with_place
    def has(self, meta: Meta, _has: Token, field: Field) -> Node:
        return Has(field, _span(meta))

    def named(self, token: Token) -> Field:
        kind, dot, name = token.partition(".")
        if dot and name and kind in ("params", "values"):
            return Field(kind, name)
        return Field("column" if token in COLUMNS else "params", str(token))

    def param(self, token: Token) -> Field:
        return Field("params", _unquoted(token))

    def entry(self, path: Token, token: Token) -> Field:
        return Field(path[:-1], _unquoted(token))

    def statistic(self, function: Token, token: Token) -> Field:
        return Field(function[:-1].lower(), _unquoted(token))

    def plain(self, token: Token) -> tuple[Token, bool]:
        return token, False

    def quoted(self, token: Token) -> tuple[Token, bool]:
        return token, True


def _bad_query(error: UnexpectedInput, text: str) -> BadQuery:
    """What is wrong, in a sentence."""
    is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    start = len(text) if is_end else int(error.pos_in_stream or 0)
    head, rest = text[:start], text[start:]
    opened = _unclosed(head)
    if rest.startswith('"'):
        return BadQuery("this quote is not closed", start, len(text))
    if (is_end or rest[0] in "()") and (before := _BEFORE.search(head)):
        what = "something" if before["word"] else "a name" if before["function"] else "a value"
        return BadQuery(f"{what} is missing after {before[1]!r}", *before.span(1))
    if not is_end and (call := _CALL.search(head)):
        name = " ".join((call["name"] + rest.partition(")")[0]).split())
        sentence = f"a name with spaces stands in quotes: {call['function']}{quoted(name)})"
        return BadQuery(sentence, call.start("name"), start + len(rest.partition(")")[0]))
    if is_end and opened is not None:
        return BadQuery("this parenthesis is not closed", opened, opened + 1)
    if rest.startswith(")"):
        is_empty = head.rstrip().endswith("(")
        return BadQuery(f"this parenthesis closes {'an empty pair' if is_empty else 'no other'}", start, start + 1)
    if operator := _OPERATOR.match(rest):
        return BadQuery(f"there is no name before {operator[0]!r}", start, start + operator.end())
    return BadQuery("this cannot stand here", start, start + max(1, len(rest.split(maxsplit=1)[0]) if rest else 1))


def _unclosed(text: str) -> int | None:
    """The place of the last parenthesis that is not closed."""
    open_: list[int] = []
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[()]', text, re.DOTALL):
        if token[0] == "(":
            open_.append(token.start())
        elif token[0] == ")" and open_:
            open_.pop()
    return open_[-1] if open_ else None
