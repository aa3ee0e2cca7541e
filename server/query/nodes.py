"""What a query says, as a tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute

COLUMNS = (
    *("tag", "id", "status", "reason", "group", "tags", "created", "updated", "ended", "elapsed"),
    *("progress", "iter", "max_iter", "points", "dropped", "refused", "commit", "branch", "host", "user"),
    *("note", "starred"),
)
STATISTICS = ("min", "max", "last", "count")
Span = tuple[int, int]
"""A place in a query: its first character, and the one after its last."""

_UNLIKE_A_NAME = re.compile(r'[\s()"=<>!~\\]')


@dataclass(frozen=True)
class Field:
    """What a term compares.

    Attributes:
        kind: "column", "params", "values", or one of STATISTICS.
        name: of the column, param, value or metric.
    """

    kind: str
    name: str

    @property
    def text(self) -> str:
        """The field as a query has it."""
        if self.kind in STATISTICS:
            return f"{self.kind}({quoted(self.name)})"
        return self.name if self.kind == "column" else f"{self.kind}.{quoted(self.name)}"

    @property
    def short(self) -> str:
        """The same without `params.`, where it would mean nothing else."""
        name = quoted(self.name)
        is_clear = name.startswith('"') or not (name in COLUMNS or name.startswith(("params.", "values.")))
        return name if self.kind == "params" and is_clear else self.text


@dataclass(frozen=True)
class Word:
    """A text that occurs in a session's tag, group, tags, params or note, whatever the case."""

    text: str
    span: Span = attribute(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Term:
    """A comparison.

    Attributes:
        operator: =, !=, <, <=, >, >=, ~ (matches a regular expression) or !~.
        value: as it is written, without its quotes.
        is_quoted: it is a text, also if it looks like a number.
        start, end: the value's place in the query, in characters.
    """

    field: Field
    operator: str
    value: str
    is_quoted: bool = False
    start: int = 0
    end: int = 0
    span: Span = attribute(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Has:
    """The session has this param, value or statistic, or the column is not empty."""

    field: Field
    span: Span = attribute(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Not:
    node: Node
    span: Span = attribute(default=(0, 0), compare=False)


@dataclass(frozen=True)
class And:
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    nodes: tuple[Node, ...]


Node = Word | Term | Has | Not | And | Or


def leaves(node: Node) -> Iterator[Word | Term | Has]:
    """The words, terms and `has` of a query, in their order."""
    open_: list[Node] = [node]
    while open_:
        node = open_.pop()
        if isinstance(node, Not):
            open_.append(node.node)
        elif isinstance(node, (And, Or)):
            open_ += reversed(node.nodes)
        else:
            yield node


def quoted(text: str) -> str:
    """A name or a value as a query has it: in quotes, if it would not be read as one otherwise."""
    is_plain = text and not _UNLIKE_A_NAME.search(text) and text.lower() not in ("and", "or", "not")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return text if is_plain else f'"{escaped}"'
