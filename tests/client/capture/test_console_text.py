"""What is kept of what the console heard: finished lines, now and then, and not too much."""

from __future__ import annotations

import sys
import time
from random import Random

import pytest

from losswise.capture import console as console_module
from losswise.capture.console import MAX_FOLDED_CHARS, MAX_PENDING_BYTES, MAX_RECORD_CHARS, Console, PlainLines
from losswise.capture.terminal import Terminal
from tests.client.capture.hearing import taken
from tests.support.server import eventually


@pytest.fixture
def console() -> Console:
    """A console that hears what a test tells it."""
    return Console(lambda: None)


def test_lines_are_taken_when_they_are_finished(console: Console) -> None:
    console.add("epoch 1: ")
    assert console.waiting() > 0
    assert taken(console, final=False) == ""
    assert console.waiting() == 0  # the journal thread can sleep
    console.add("done\nepoch 2: ")
    console._next_record_at = 0.0
    assert taken(console, final=False) == "epoch 1: done\n"
    assert console.waiting() == 0
    assert taken(console) == "epoch 2:\n"
    console.add("after the end\n")
    assert taken(console) == "after the end\n"


def test_at_most_one_record_a_second(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "RECORD_INTERVAL_S", 60.0)
    console.add("one\n")
    assert taken(console, final=False) == "one\n"
    console.add("two\n")
    assert taken(console, final=False) == ""
    assert console.waiting() > 0
    console.add("three\n")
    assert 50 < console._next_record_at - time.monotonic() <= 60
    console._next_record_at = time.monotonic()
    assert taken(console, final=False) == "two\nthree\n"
    console.add("four\n")
    assert taken(console, final=True) == "four\n"


def test_a_line_whose_end_comes_apart_does_not_wait_for_a_second(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_module, "RECORD_INTERVAL_S", 60.0)
    console.add("line")
    assert taken(console, final=False) == ""
    console.add("\n")
    eventually(lambda: taken(console, final=False) == "line\n")


def test_of_a_flood_head_and_tail_are_kept(console: Console) -> None:
    lines = [f"line {number}\n" for number in range(25_000)]
    for line in lines:
        console.add(line)
    text = taken(console, final=False)
    whole = "".join(lines)
    assert MAX_RECORD_CHARS < len(whole) < MAX_FOLDED_CHARS
    assert text.startswith(whole[:40_000])
    assert text.endswith(whole[-40_000:])
    note = f"… [left out by losswise: {len(whole) - MAX_RECORD_CHARS} characters]\n"
    assert note in text
    assert len(text) <= MAX_RECORD_CHARS + len(note) + 1


def test_of_more_than_can_be_folded_head_and_tail_are_kept(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = "".join(f"line {number}\n" for number in range(100_000))
    for start in range(0, len(whole), 300_000):
        console.add(whole[start : start + 300_000])
    feed, fed = console._lines.feed, []
    monkeypatch.setattr(console._lines, "feed", lambda text: (fed.append(len(text)), feed(text))[1])
    text = taken(console, final=False)
    assert sum(fed) == MAX_FOLDED_CHARS
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 99998\nline 99999\n")
    [note] = [line for line in text.splitlines() if "left out" in line]
    left_out = int(note.split()[-2])
    assert abs(left_out + len(text) - len(note) - len(whole)) < 50


def test_pending_text_is_bounded_and_the_latest_is_kept(console: Console) -> None:
    for number in range(200_000):
        console.add(f"line {number:09} is here\n")
        if number % 10_000 == 0:
            assert console.waiting() <= MAX_PENDING_BYTES
    assert sum(map(sys.getsizeof, console._pending)) <= MAX_PENDING_BYTES
    text = taken(console, final=False)
    note, *lines = text.splitlines()
    left_out = int(note.split()[-2])
    assert left_out + sum(map(len, lines)) + len(lines) == pytest.approx(23 * 200_000, abs=100)
    assert lines[-1] == "line 000199999 is here"
    assert console.waiting() == 0
    console.add("and on it goes\n")
    console._next_record_at = 0.0
    assert taken(console, final=False) == "and on it goes\n"


def test_one_text_of_many_megabytes(console: Console) -> None:
    console.add("x" * 50_000_000 + "the end\n")
    assert console.waiting() < MAX_PENDING_BYTES
    text = taken(console, final=False)
    assert text.startswith("… [left out by losswise: ")
    assert text.endswith("the end\n")
    assert len(text) <= MAX_RECORD_CHARS


def test_a_progress_bar_that_writes_a_lot_is_one_line(console: Console) -> None:
    for number in range(3_000):
        console.add(f"\r{number:>90}")
    console.add("\n")
    assert taken(console) == f"{2_999:>90}\n"


def test_any_text_becomes_a_record(console: Console) -> None:
    console.add("ünï 日本 🎉\n")
    console.add("lone \ud800 surrogate and \x00 NUL\n")
    assert taken(console) == "ünï 日本 🎉\nlone ? surrogate and  NUL\n"


@pytest.mark.parametrize("seed", range(20))
def test_plain_output_is_folded_as_a_terminal_would(seed: int) -> None:
    random = Random(seed)
    pieces = ["epoch 1", "\n", " ", "  \n", "\n\n", "\t0.5", "x" * 3_000, "ä€", ""]
    plain, terminal = PlainLines(), Terminal()
    for _ in range(200):
        text = "".join(random.choices(pieces, k=random.randrange(5)))
        assert plain.feed(text) == terminal.feed(text)
    assert plain.close() == terminal.close()
