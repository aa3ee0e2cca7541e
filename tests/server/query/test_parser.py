"""What a query means, and what is said of one that cannot be understood."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from losswise_server.query import parser
from losswise_server.query.nodes import And, Field, Has, Node, Not, Or, Term, Word, quoted
from losswise_server.query.parser import BadQuery, parse, parse_field
from losswise_server.query.terms import terms_of


def term(kind: str, name: str, operator: str, value: str, is_quoted: bool = False) -> Term:
    return Term(Field(kind, name), operator, value, is_quoted)


def without_places(node: Any) -> Any:
    if isinstance(node, Term):
        return Term(node.field, node.operator, node.value, node.is_quoted)
    if isinstance(node, Not):
        return Not(without_places(node.node))
    if isinstance(node, (And, Or)):
        return type(node)(tuple(map(without_places, node.nodes)))
    return node


LR, FAILED = term("params", "lr", "=", "0.1"), term("column", "status", "=", "failed")
QUERIES: list[tuple[str, Node | None]] = [
    ("", None),
    ("  ", None),
    ("resnet", Word("resnet")),
    ("resnet 50", And((Word("resnet"), Word("50")))),
    ('"two words"', Word("two words")),
    (r'"a \" and \\"', Word('a " and \\')),
    ("hello! it's 50% of a/b-c", And(tuple(map(Word, ["hello!", "it's", "50%", "of", "a/b-c"])))),
    ("android order nothing", And((Word("android"), Word("order"), Word("nothing")))),
    ("lr=0.1", LR),
    ("lr = 0.1", LR),
    ("lr==0.1", LR),
    ("params.lr=0.1", LR),
    ("lr<=1e-3", term("params", "lr", "<=", "1e-3")),
    ("lr!=1", term("params", "lr", "!=", "1")),
    ('path="a b"', term("params", "path", "=", "a b", True)),
    ("path=a=b<c", term("params", "path", "=", "a=b<c")),
    ('"learning rate">1', term("params", "learning rate", ">", "1")),
    ('params."learning rate">1', term("params", "learning rate", ">", "1")),
    ("values.best>1", term("values", "best", ">", "1")),
    ('values."a b">1', term("values", "a b", ">", "1")),
    ("params.tag=x", term("params", "tag", "=", "x")),
    ('"status"=x', term("params", "status", "=", "x")),
    ("min(val_loss)<0.3", term("min", "val_loss", "<", "0.3")),
    ('LAST("a b")>=0', term("last", "a b", ">=", "0")),
    ('tag~"res.*(a|b)"', term("column", "tag", "~", "res.*(a|b)", True)),
    (r'tag~"\d+\."', term("column", "tag", "~", r"\d+\.", True)),
    ("tag!~x", term("column", "tag", "!~", "x")),
    ("has(params.seed)", Has(Field("params", "seed"))),
    ("has( min(loss) )", Has(Field("min", "loss"))),
    ("has(group)", Has(Field("column", "group"))),
    ("starred=true", term("column", "starred", "=", "true")),
    ('note~"a b" params.note=x', And((term("column", "note", "~", "a b", True), term("params", "note", "=", "x")))),
    ("status=failed lr=0.1", And((FAILED, LR))),
    ("status=failed and lr=0.1", And((FAILED, LR))),
    ("status=failed OR lr=0.1", Or((FAILED, LR))),
    ("a b or c", Or((And((Word("a"), Word("b"))), Word("c")))),
    ("a (b or c)", And((Word("a"), Or((Word("b"), Word("c")))))),
    ("not a b", And((Not(Word("a")), Word("b")))),
    ("not (a b)", Not(And((Word("a"), Word("b"))))),
    ("not not a", Word("a")),
    ("not not not a", Not(Word("a"))),
    ("(" * 300 + "a" + ")" * 300, Word("a")),
    ("min (a)", And((Word("min"), Word("a")))),
    ("and", Word("and")),
]


@pytest.mark.parametrize(("text", "node"), QUERIES)
def test_what_a_query_means(text: str, node: Node | None) -> None:
    assert without_places(parse(text)) == node


@pytest.mark.parametrize(
    ("text", "sentence", "part"),
    [
        ("lr<=", "a value is missing after '<='", "<="),
        ("(lr=)", "a value is missing after '='", "="),
        ("=3", "there is no name before '='", "="),
        ("a or", "something is missing after 'or'", "or"),
        ("(not )", "something is missing after 'not'", "not"),
        ("(a or b", "this parenthesis is not closed", "("),
        ('(a ")" b', "this parenthesis is not closed", "("),
        ("a)", "this parenthesis closes no other", ")"),
        ("a ()", "this parenthesis closes an empty pair", ")"),
        ('tag="abc', "this quote is not closed", '"abc'),
        ("min()<1", "a name is missing after 'min('", "min("),
        ("has(", "a name is missing after 'has('", "has("),
        ("min(a b)<3", 'a name with spaces stands in quotes: min("a b")', "a b"),
        ("min(loss", "this parenthesis is not closed", "("),
        ("x" * (parser.MAX_QUERY_CHARS + 1), "a query has at most 4,000 characters", "x"),
        ("a " * 51, "a query has at most 50 words and terms", "a " * 51),
        ("not " * 990 + "a", "this is nested too deeply", None),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, sentence: str, part: str | None) -> None:
    with pytest.raises(BadQuery) as wrong:
        parse(text)
    assert wrong.value.message == sentence
    if part is not None:
        assert text[wrong.value.start : wrong.value.end] == part


@pytest.mark.parametrize("name", ["lr", "a b", 'a"b', "a\\b", "and", "a=b", "a(b", "", "é", "params.x"])
def test_any_name_and_text_can_be_written(name: str) -> None:
    if name:
        assert parse(quoted(name)) == Word(name)
        for kind in ("params", "values", "min", "last"):
            assert without_places(parse(f"{Field(kind, name).text}=1")) == term(kind, name, "=", "1")


@given(st.text(st.sampled_from('ab01 ="()<>!~.and or not min(has(\\\n\u00e9'), max_size=40))
def test_any_text_is_a_query_or_has_a_mistake_somewhere(text: str) -> None:
    try:
        parse(text)
    except BadQuery as error:
        found = (error.message, error.start, error.end)
    else:
        return
    assert found[0]
    assert 0 <= found[1] < found[2] <= max(1, len(text))


@pytest.mark.parametrize(
    ("field", "short"),
    [
        (Field("params", "lr"), "lr"),
        (Field("params", "a b"), '"a b"'),
        (Field("params", "a\u00a0b"), '"a\u00a0b"'),
        (Field("params", "tag"), "params.tag"),
        (Field("params", "values.x"), "params.values.x"),
        (Field("params", "params.a b"), '"params.a b"'),
        (Field("values", "a b"), 'values."a b"'),
        (Field("min", "loss"), "min(loss)"),
        (Field("column", "tag"), "tag"),
    ],
)
def test_the_shortest_text_of_a_field_means_the_field(field: Field, short: str) -> None:
    assert field.short == short
    assert parse_field(short) == field
    assert without_places(parse(f"{short}=1")) == Term(field, "=", "1")


@pytest.mark.parametrize("text", ["", "a b", "min(a", "has(a)", "a) or has(b", "lr=1", "and or", "x" * 5_000])
def test_what_is_no_field(text: str) -> None:
    with pytest.raises(BadQuery, match="is no field"):
        parse_field(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("lr<=0.01", ["lr<=0.01"]),
        (" lr <= 0.01  ", ["lr <= 0.01"]),
        ("resnet lr=1 and not has(seed)", ["resnet", "lr=1", "not has(seed)"]),
        ('min("a b")>2 AND "two words"', ['min("a b")>2', '"two words"']),
        ("🚀 tag=🚀", ["🚀", "tag=🚀"]),
        ("not (a)", ["not (a)"]),
        ("and and b", ["and", "b"]),
    ],
)
def test_the_terms_of_a_plain_list_and_their_places(text: str, parts: list[str]) -> None:
    terms = terms_of(text, parse(text))
    assert terms is not None
    assert [text[term["start"] : term["end"]] for term in terms] == parts


@pytest.mark.parametrize("text", ["a or b", "(a) b", "not not a", "not (a b)", "(a)", "a and (b or c)", "(a b) c"])
def test_other_queries_are_no_plain_list(text: str) -> None:
    assert terms_of(text, parse(text)) is None


def test_what_a_term_says() -> None:
    text = 'word not lr<="1" has(params.tag)'
    named = {"kind", "negated", "field", "operator", "value", "quoted"}
    assert [{name: term[name] for name in named} for term in terms_of(text, parse(text)) or []] == [
        {"kind": "word", "negated": False, "field": None, "operator": None, "value": "word", "quoted": False},
        {"kind": "term", "negated": True, "field": "lr", "operator": "<=", "value": "1", "quoted": True},
        {"kind": "has", "negated": False, "field": "params.tag", "operator": None, "value": None, "quoted": False},
    ]
