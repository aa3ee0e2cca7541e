"""Whatever value is handed in anywhere: nothing is raised, its neighbours are kept, no record is refused."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from losswise_server.ingest.decoding import decode_batch

import losswise
from losswise.values.jsonable import dumps
from tests.client.conftest import journal_records, points_of
from tests.client.values.doors import DOORS, Records, Start, merged
from tests.client.values.hostile_leaves import LEAVES, Panic, broken, omegaconf, with_methods

MAX_RECORD_BYTES = 4 * 1024 * 1024
SLOW = ("wide", "endless mapping")
"""Cutting these takes a second, and a hundred thousand metrics take several."""
QUICK_DOORS = ("Session(params=)", "set_values", "text", "append values", "log names", "done(error=)")
CELLS = [(door, leaf) for leaf in LEAVES for door in DOORS if leaf not in SLOW or door in QUICK_DOORS]
EVERY = 8
"""Of the cells, one in so many is among the quick tests: after a few of them each door and each leaf was there."""


@pytest.fixture
def start(journals: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setenv("LW_MODE", "offline")
    return lambda tag="tag", **options: losswise.Session(tag, track_git=False, console=False, **options)


def recorded(session: losswise.Session, journals: Path) -> Records:
    """End the session, and return its records, each of which the server takes."""
    session.done()
    records = journal_records(journals)
    for record in records:
        assert len(json.dumps(record)) < MAX_RECORD_BYTES
        batch = {"format": 1, "session": session.id, "writer": session.id, "seq": 1, "records": [record]}
        decode_batch(json.dumps(batch).encode())
    return records


@pytest.mark.parametrize(
    ("door", "leaf"),
    [pytest.param(*cell, marks=[pytest.mark.full] if number % EVERY else []) for number, cell in enumerate(CELLS)],
)
def test_a_value_that_raises_lies_or_never_ends(
    start: Start, journals: Path, capsys: pytest.CaptureFixture[str], door: str, leaf: str
) -> None:
    records = recorded(DOORS[door].use(start, LEAVES[leaf]()), journals)
    assert records[0]["type"] == "session"
    assert records[0]["tag"] == "tag"
    assert records[-1]["type"] == "status"
    DOORS[door].check(records)
    assert "Traceback" not in capsys.readouterr().err


def test_only_what_cannot_be_read_of_a_config_is_replaced(start: Start, journals: Path) -> None:
    config = omegaconf("config")
    with start(params=config) as session:
        session.params.update(config)
        session.set_values(config)
        session.log(config, 3)
    expected = {
        "fine": 1,
        "missing": "<MissingMandatoryValue>",
        "bad": "<InterpolationKeyError>",
        "inner": {"list": [1, "<InterpolationKeyError>"]},
    }
    records = recorded(session, journals)
    assert [record["params"] for record in records if "params" in record] == [expected, expected]
    assert merged(records, "values", "values") == expected
    assert points_of(records, "fine") == [(3, 1.0)]
    assert session.params["fine"] == 1


def test_what_is_handed_in_is_described(start: Start, journals: Path) -> None:
    expected = {
        "repr raises": "<Hostile: RuntimeError>",
        "str panics": "<Hostile: Panic>",
        "int of 5,000 digits": "<int of 16610 bits>",
        "int of 90 digits": 10**90,
        "around itself": ["[...]"] * 10,
        "lone surrogate and NUL": "a?b\ufffdc",
        "two keys with one text": {"1": "a", "1 (2)": "b"},
        "broken dictionary": {"a": 1},
        "broken list": [1, 2],
        "broken text": "text",
        "broken int": 3,
        "mapping with a missing value": {"fine": 1, "bad": "<LookupError>"},
        "unreadable mapping": "<RuntimeError>",
        "short sequence": [1, 2],
        "dataclass": {"rate": 0.1, "broken": "<LookupError>"},
        "large array": "array of shape (2000, 2000)",
        "namespace of argparse": {"fine": 1, "bad": "<int of 16610 bits>"},
        "deque": [1, [2]],
        "list of OmegaConf": [1, "<InterpolationKeyError>", "<MissingMandatoryValue>", {"fine": 1}],
    }
    session = start(params={name: LEAVES[name]() for name in expected})
    assert recorded(session, journals)[0]["params"] == expected


def test_many_keys_with_one_text_take_no_longer_than_others(start: Start, journals: Path) -> None:
    """Numbered from 2 on each, 16,000 of them took half a minute."""
    alike = {with_methods(__str__=lambda _self: "key"): number for number in range(16_000)}
    before = time.process_time()
    session = start(params={"alike": alike})
    assert time.process_time() - before < 10
    params = recorded(session, journals)[0]["params"]["alike"]
    assert (params["key"], params["key (2)"], params["key (16000)"]) == (0, 1, 15_999)


def test_of_params_that_are_too_large_the_small_ones_are_kept_and_a_note_says_what_is_missing(
    start: Start, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = {
        "texts": ["word " * 10_000] * 1_000,
        "rate": 0.1,
        "table": LEAVES["40 MB of numbers"](),
        "layers": [64, 10],
    }
    large.update({f"name {number}": number for number in range(20_000)})
    params = recorded(start(params=large), journals)[0]["params"]
    assert (params["rate"], params["layers"], params["name 7"]) == (0.1, [64, 10], 7)
    assert list(params)[:4] == ["texts", "rate", "table", "layers"]
    assert "of 5,000,000 entries" in params["table"][-1]
    assert "of 1,000 entries" in params["texts"][-1]
    assert 500_000 < len(json.dumps(params)) < 1_300_000
    assert capsys.readouterr().err.count("are cut to 1 MiB") == 1


def test_of_more_params_than_fit_the_first_are_kept(start: Start, journals: Path) -> None:
    params = recorded(start(params={f"name {number}": number for number in range(200_000)}), journals)[0]["params"]
    assert params["name 10000"] == 10_000
    assert "of 200,000 entries: name " in params["[cut by losswise]"]


def test_more_cells_than_a_record_has(start: Start, journals: Path) -> None:
    session = start()
    session.set_values({f"cell {number}": number for number in range(2_500)})
    records = recorded(session, journals)
    assert merged(records, "values", "values") == {f"cell {number}": number for number in range(2_500)}


def test_a_message_about_an_error_whose_text_raises(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    class Odd(ValueError):
        __str__ = __repr__ = broken(RuntimeError("no"))

    def pairs() -> Any:
        yield "a", 1
        raise Odd

    with start() as session:
        session.params.update(pairs())
    assert "an error while updating params (Odd: <RuntimeError>)" in capsys.readouterr().err


def test_the_constructor_names_a_wrong_argument_even_if_its_text_raises(start: Start) -> None:
    silent = with_methods(__repr__=broken(RuntimeError("no")), __class__=property(broken(RuntimeError("no"))))
    pairs = {"a": silent}, {"a": ("b", silent)}
    names = ("tag", "params", "data", "tags", "info", "max_iter", "graphs", "resume", "group", "project")
    given = [*((name, silent) for name in names), ("tags", [silent]), ("info", pairs[0])]
    for name, value in [*given, *(("graphs", pair) for pair in pairs)]:
        with pytest.raises((TypeError, ValueError)):
            start(**{name: value})


def test_tags_that_raise_and_long_notes(start: Start, journals: Path) -> None:
    def tags() -> Any:
        yield "first"
        raise RuntimeError

    info = {"note": "a" * 200_000, "n" * 600: "b\0", **{f"note {number}": "c" * 50_000 for number in range(100)}}
    records = recorded(start(tags=tags(), info=info), journals)
    assert records[0]["tags"] == ["first", "<RuntimeError>"]
    assert records[0]["info"]["note"].startswith("aaaa")
    assert [text for name, text in records[0]["info"].items() if name.startswith("nnn")] == ["b\ufffd"]
    assert all(len(name) <= 500 for name in records[0]["info"])


def test_tags_without_end_and_long_names_of_a_session(start: Start, journals: Path) -> None:
    names = {name: name * 200 for name in ("tag", "group", "project")}
    first = recorded(start(tags=itertools.repeat("t" * 600), **names), journals)[0]
    assert len(first["tags"]) == 1_000
    assert {len(tag) for tag in first["tags"]} == {500}
    assert all(len(first[name]) == 500 for name in names)


def test_an_image_that_raises_is_one_warning(start: Start, journals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = start()
    sequence = session.image_sequence(0, "images")
    for _ in range(3):
        sequence.append(with_methods(__getattr__=broken(Panic())), "1")
    assert [record for record in recorded(session, journals) if record["type"] == "image"] == []
    assert capsys.readouterr().err.count("a Hostile that raises Panic") == 1


def test_an_opening_that_cannot_be_encoded_is_written_without_its_params(
    start: Start, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(value: Any) -> str:
        if "rate" in value.get("params", {}):
            raise MemoryError
        return dumps(value)

    monkeypatch.setattr("losswise.journal.format.dumps", failing)
    session = start(params={"rate": 0.1}, project="vision")
    session.graph("loss").append(0, {"a": 1.0})
    records = recorded(session, journals)
    assert (records[0]["tag"], records[0]["project"]) == ("tag", "vision")
    assert records[0]["params"] == {"[unreadable by losswise]": "MemoryError"}
    assert points_of(records, "a") == [(0, 1.0)]
    assert "cannot be recorded (MemoryError)" in capsys.readouterr().err


def test_the_params_of_many_calls_together_do_not_keep_a_journal_from_being_sent(
    start: Start, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each segment of a journal begins with all of them."""
    monkeypatch.setenv("LW_JOURNAL_MAX", "64MiB")  # segments of 16 MiB
    session = start()
    for number in range(40):
        session.params[f"text {number}"] = [f"{number:03d} " * 20_000] * 12
    session.graph("loss").append(0, {"a": 1.0})
    session.done()
    for path in sorted(journals.glob("*.journal")):
        assert all(len(line) < 16 * 1024 * 1024 for line in path.read_text().splitlines())
