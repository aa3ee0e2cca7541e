"""Texts of a session: replaced, appended to in chunks, bounded, and cheap to append to."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from losswise.protocol.limits import MAX_TEXT_LENGTH
from losswise.protocol.records import text_record
from tests.support.batches import Writing
from tests.support.server import Server

ROW = 64 * 1024


def texts(run: Writing) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = run.row()["texts"]
    return shown


def text(run: Writing, name: str = "console") -> str:
    [found] = [entry["text"] for entry in texts(run) if entry["name"] == name]
    assert isinstance(found, str)
    return found


def lines(count: int, length: int = 80, start: int = 0) -> str:
    return "".join(f"{number:0{length - 1}d}\n" for number in range(start, start + count))


def test_appended_chunks_are_one_text(server: Server) -> None:
    run = Writing(server)
    whole = lines(5_000) + "Ende äöü 🎉\n"
    chunks, at, chance = [], 0, random.Random(1)
    while at < len(whole):
        length = chance.choice([1, 50, 900, 30_000, 70_000])
        chunks.append(whole[at : at + length])
        at += length
    for start in range(0, len(chunks), 7):
        run.send(*(text_record("console", chunk, append=True) for chunk in chunks[start : start + 7]))
    assert texts(run) == [{"name": "console", "x": None, "text": whole}]


def test_the_end_of_an_overlong_text_is_kept(server: Server) -> None:
    run = Writing(server)
    whole = ""
    for number in range(14):
        chunk = lines(1_250, start=1_250 * number)  # 100,000 characters
        whole += chunk
        run.send(text_record("console", chunk, append=True))
        assert text(run) == whole[-MAX_TEXT_LENGTH:]
    run.send(text_record("console", "the end", append=True))
    assert text(run) == (whole + "the end")[-MAX_TEXT_LENGTH:]


def test_a_chunk_of_the_maximum_length(server: Server) -> None:
    run = Writing(server)
    run.send(text_record("console", "before", append=True), text_record("console", "x" * MAX_TEXT_LENGTH, append=True))
    assert text(run) == "x" * MAX_TEXT_LENGTH
    run.send(text_record("console", "after", append=True))
    assert text(run) == "x" * (MAX_TEXT_LENGTH - 5) + "after"


def test_a_replacing_record_deletes_all_chunks(server: Server) -> None:
    run = Writing(server)
    for _ in range(4):
        run.send(text_record("console", lines(1_000), append=True), text_record("summary", "a model"))
    run.send(text_record("console", "short"))
    assert texts(run) == [
        {"name": "console", "x": None, "text": "short"},
        {"name": "summary", "x": None, "text": "a model"},
    ]
    run.send(text_record("console", " and more", append=True))
    assert text(run) == "short and more"
    run.send(text_record("console", lines(3_000)), text_record("console", "last", append=True))
    assert text(run) == lines(3_000) + "last"
    run.send(text_record("console", ""))
    assert text(run) == ""


def test_names_and_x_do_not_mix_and_keep_their_order(server: Server) -> None:
    run = Writing(server)
    expected: dict[tuple[str, int | None], str] = {}
    for number in range(40):
        for name, x in (("console", None), ("notes", 3), ("notes", None), ("notes", 4)):
            length = 500 if name == "console" else 10
            chunk = lines(length, start=number * length)
            expected[name, x] = expected.get((name, x), "") + chunk
            run.send(text_record(name, chunk, x, append=True))
    assert len(expected["console", None]) > MAX_TEXT_LENGTH
    # the console lost its first rows and is still the first text
    assert texts(run) == [
        {"name": name, "x": x, "text": kept[-MAX_TEXT_LENGTH:]} for (name, x), kept in expected.items()
    ]


def test_two_sessions_do_not_mix(server: Server) -> None:
    first, second = Writing(server), Writing(server)
    for run, letter in ((first, "a"), (second, "b"), (first, "c")):
        run.send(text_record("console", letter * 100_000, append=True))
    second.send(text_record("console", "replaced"))
    assert text(first) == "a" * 100_000 + "c" * 100_000
    assert text(second) == "replaced"


def test_rows_stay_short_and_few(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    run = Writing(server)
    for number in range(150):
        run.send(text_record("console", lines(125, start=125 * number), append=True), text_record("other", "text"))
    with closing(sqlite3.connect(server.data_dir / "losswise.db")) as database:
        lengths = [length for (length,) in database.execute("select length(text) from texts where name = 'console'")]
        [(others,)] = database.execute("select count(*) from texts where name = 'other'").fetchall()
    assert max(lengths) <= ROW
    assert MAX_TEXT_LENGTH <= sum(lengths) <= MAX_TEXT_LENGTH + 2 * ROW
    assert len(lengths) <= MAX_TEXT_LENGTH // ROW + 2
    assert others == 1
