"""Rules that exist in Python and in JavaScript: both give the same results."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from typing import Any

import pytest
from losswise_server.pages import filters
from losswise_server.points import statistics
from losswise_server.query.nodes import Term, leaves, quoted
from losswise_server.query.parser import BadQuery, parse
from losswise_server.sessions import project_best

from losswise.notebook import html, svg
from losswise.notebook.curves import Curve
from tests.scripts import ROOT, npm

NAMED = ["loss", "a/loss", "b/loss", "c/d/loss", "d/loss", "acc", "a/acc", "/loss"]
NAMES = [
    *("loss", "val_loss", "valLoss", "loss/val", "Validation accuracy", "test", "eval.loss", "DEV", "top5_holdout"),
    *("train_loss", "value", "interval", "latest", "evaluate", "device", "", "valid-1", "xval", "Überval", "testLoss"),
]


def in_javascript(module: str, expression: str, given: Any) -> Any:
    """The value of an expression with the module as `m` and `given`, such as `given.map(m.number)`."""
    node = npm.command("node")
    if node is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Node.js")
        pytest.skip("there is no Node.js")
    code = f"""
        import * as m from {json.dumps((ROOT / "server/static/js" / module).as_uri())};
        const given = {json.dumps(given)};
        console.log(JSON.stringify({expression}));
    """
    words = [*node, "--input-type=module", "--eval", code]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_same_numbers() -> None:
    chance = random.Random(1)
    numbers = [chance.uniform(-10, 10) * 10.0**power for power in range(-20, 20) for _ in range(20)]
    numbers += [0.0, -0.0, 1.0, 999.0, 1000.0, 12_345.0, 1e9, 1e-3, 1e300, 5e-324]
    assert in_javascript("ui/format.js", "given.map(m.number)", numbers) == [svg.number(one) for one in numbers]


def test_the_same_durations() -> None:
    seconds = [0.2, 7.4, 59, 60, 61, 599, 600, 3599, 3600, 3700, 86_399, 86_400, 90_000, 1e7, -5]
    assert in_javascript("ui/format.js", "given.map(m.duration)", seconds) == [filters.duration(one) for one in seconds]


def test_the_same_colors() -> None:
    assert in_javascript("ui/palette.js", "m.COLORS", None) == list(svg.COLORS)


def test_the_same_held_out_metrics() -> None:
    found = in_javascript("ui/palette.js", "given.map(m.isHeldOut)", NAMES)
    assert found == [html.is_held_out(name) for name in NAMES]
    assert found == [project_best.is_held_out(name) for name in NAMES]
    assert len(set(found)) == 2


@pytest.mark.parametrize("kind", ["min", "max"])
@pytest.mark.parametrize("names", [["loss"], ["train", "val"], ["train", "val", "test"], ["a", "b", "c"]])
def test_the_same_best_of_a_graph(kind: str, names: list[str]) -> None:
    curves, stats = {}, {}
    for at, name in enumerate(names):
        values = [5.0 - at, 1.5 + at, 7.25 - at]
        curves[name] = Curve()
        curves[name].add([0, 1, 2], values)
        stats[name] = {"min": min(values), "max": max(values)}
    held_out = f"(name) => {json.dumps([name for name in names if html.is_held_out(name)])}.includes(name)"
    expression = f"m.bestOf([{{ session: {{}}, graph: {{ stats: given }} }}], {json.dumps(kind)}, {held_out}).value"
    best = re.search(r"best</span><span>([^<]+)</span>", html.card("loss", kind, curves, False))
    assert best
    assert best[1] == svg.number(in_javascript("data/session.js", expression, stats))


def test_the_same_quotes() -> None:
    names = [
        "lr",
        "a b",
        'a"b',
        "a\\b",
        "and",
        "NOT",
        "a=b",
        "a!",
        "a~b",
        "",
        "é",
        "params.x",
        "a\u00a0b",
        "a\tb",
        "x)",
    ]
    assert in_javascript("data/query_text.js", "given.map(m.quoted)", names) == [quoted(name) for name in names]


PIECES = (
    *('lr', 'tag', '"a b"', 'min(', 'has(', 'params."x y"', 'values.b', ')', '(', 'and', 'or', 'not'),
    *('=', '<=', '!=', '~', '0.1', '"x\\"y"', 'android', 'hello!', 'a!b', ' ', '  ', ' ', '==', '!~', 'and', 'nothing'),
)  # fmt: skip


def test_the_same_values_and_terms_of_a_query() -> None:
    """The page's tokens are where the server's parser has found values."""
    chance = random.Random(3)
    expected: dict[str, list[list[int]]] = {}
    while len(expected) < 400:
        text = "".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 12)))
        try:
            node = parse(text)
        except BadQuery:
            continue
        if node is not None:
            expected[text] = [[leaf.start, leaf.end] for leaf in leaves(node) if isinstance(leaf, Term)]
    assert sum(bool(places) for places in expected.values()) > 50
    expression = """given.map((text) => {
        const tokens = m.tokensOf(text);
        return tokens.filter((_, at) => tokens[at - 1]?.type === 'operator').map(({ start, end }) => [start, end]);
    })"""
    found = in_javascript("data/query_text.js", expression, list(expected))
    assert dict(zip(expected, found, strict=True)) == expected


def test_the_same_names_of_statistics() -> None:
    """A page makes them again of the graphs, where it gets what has changed of a session."""
    chance = random.Random(3)
    stat = dict.fromkeys(("min", "max", "last", "count"), 1)
    cases = [
        [
            {"title": chance.choice(("", "a", "b", "c/d", "d")), "stats": dict.fromkeys(chance.sample(NAMED, 3), stat)}
            for _ in range(chance.randrange(5))
        ]
        for _ in range(200)
    ]
    expected = [
        statistics.by_name(
            {str(number): graph["stats"] for number, graph in enumerate(graphs)},
            {str(number): graph["title"] for number, graph in enumerate(graphs)},
        )
        for graphs in cases
    ]
    assert in_javascript("data/session_change.js", "given.map(m.statsByName)", cases) == expected
