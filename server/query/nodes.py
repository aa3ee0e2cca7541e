"""What a query says, as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

COLUMNS = (
    *("tag", "id", "status", "reason", "group", "tags", "created", "updated", "ended", "elapsed"),
    *("progress", "iter", "max_iter", "points", "dropped", "refused", "note", "starred"),
)
STATISTICS = ("min", "max", "last", "count")


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


@dataclass(frozen=True)
class Word:
    """A text that occurs in a session's tag, group, tags, params or note, whatever the case."""

    text: str


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


@dataclass(frozen=True)
class Has:
    """The session has this param, value or statistic, or the column is not empty."""

    field: Field


@dataclass(frozen=True)
class Not:
    node: Node


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
    is_plain = text and not set(text) & set(' \t\r\n()"=<>!~\\') and text.lower() not in ("and", "or", "not")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return text if is_plain else f'"{escaped}"'
