"""The terms of a query that is a plain list of conditions, as the page shows and edits them one by one."""

from __future__ import annotations

from typing import Any

from .nodes import And, Has, Node, Not, Term, Word


def terms_of(text: str, node: Node | None) -> list[dict[str, Any]] | None:
    """The words, terms and `has` of a query that all have to hold, each with or without `not` before it.

    Args:
        text: the query.
        node: what it says, see parser.parse.

    Returns:
        {"kind": "word", "term" or "has", "negated", "field", "operator", "value", "quoted", "start", "end"} for each,
        in their order; what does not apply is None. None if the query has `or`, or parentheses around several terms.
    """
    if node is None:
        return []
    terms = []
    end = 0
    for part in node.nodes if isinstance(node, And) else (node,):
        leaf = part.node if isinstance(part, Not) else part
        if not isinstance(part, (Word, Term, Has, Not)) or not isinstance(leaf, (Word, Term, Has)):
            return None
        start, stop = part.span
        if text[end:start].strip().lower() not in ("", "and"):  # parentheses, or a double `not`
            return None
        terms.append({**_described(leaf), "negated": part is not leaf, "start": start, "end": stop})
        end = stop
    return terms if not text[end:].strip() else None


def _described(leaf: Word | Term | Has) -> dict[str, Any]:
    if isinstance(leaf, Word):
        return {"kind": "word", "field": None, "operator": None, "value": leaf.text, "quoted": False}
    if isinstance(leaf, Has):
        return {"kind": "has", "field": leaf.field.short, "operator": None, "value": None, "quoted": False}
    return {
        "kind": "term",
        "field": leaf.field.short,
        "operator": leaf.operator,
        "value": leaf.value,
        "quoted": leaf.is_quoted,
    }
