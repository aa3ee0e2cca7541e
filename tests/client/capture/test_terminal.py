"""What a program writes to a terminal becomes the lines that a person saw in the end."""

from __future__ import annotations

import io
import os
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console as RichConsole
from rich.progress import BarColumn, Progress, TextColumn
from tqdm import tqdm

from losswise.capture.terminal import MAX_COLUMN, MAX_LINE_CHARS, MAX_ROWS, Terminal


def fold(*pieces: str) -> str:
    terminal = Terminal()
    return "".join([terminal.feed(piece) for piece in pieces] + [terminal.close()])


class Screen(io.StringIO):
    """A stream that feeds a terminal after each `every` writes; `lines` is what it made of them."""

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        self.terminal = Terminal()
        self.every = every
        self.final = ""
        self._written: list[str] = []

    def write(self, text: str) -> int:
        self._written.append(text)
        if len(self._written) >= self.every:
            self.feed()
        return len(text)

    def feed(self) -> None:
        self.final += self.terminal.feed("".join(self._written))
        self._written.clear()

    def lines(self) -> list[str]:
        self.feed()
        return (self.final + self.terminal.close()).splitlines()


ALL = 10**9

FOLDED = [
    ("plain", "one\ntwo\n", "one\ntwo\n"),
    ("unfinished", "one\ntwo", "one\ntwo"),
    ("empty lines", "\n\na\n\n", "\n\na\n\n"),
    ("tabs", "a\tb\n", "a\tb\n"),
    ("Windows", "one\r\ntwo\r\n", "one\ntwo\n"),
    ("a bar", "10%\r50%\r100%\n", "100%\n"),
    ("a shorter text", "abcdef\rxy\n", "xycdef\n"),
    ("blanks at the end", "a bar  \r100%   \nnext  \n", "100%\nnext\n"),
    ("backspaces", "abc\b\bX\n", "aXc\n"),
    ("too many backspaces", "ab\b\b\b\bX\n", "Xb\n"),
    ("colours", "\x1b[1;31mred\x1b[0m \x1b[38;5;12mblue\x1b[m\n", "red blue\n"),
    ("a title and a link", "\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "alink\n"),
    ("other escapes", "\x1b(Ba\x1b=b\x1b[?25lc\x1b[?25h\x1b7d\n", "abcd\n"),
    ("bell and NUL", "a\x07b\x00c\x7f\x9bd\n", "abcd\n"),
    ("erase to the end", "abcdef\r\x1b[Kxy\n", "xy\n"),
    ("erase the beginning", "abcdef\x1b[3D\x1b[1Kx\n", "   xef\n"),
    ("erase all", "abcdef\x1b[2K\rxy\n", "xy\n"),
    ("left and right", "abc\x1b[2Dx\x1b[2Cy\n", "axc y\n"),
    ("column", "abc\x1b[2Gx\n", "axc\n"),
    ("up", "one\ntwo\nthree\x1b[2A\rONE\n", "ONE\ntwo\nthree"),
    ("up and down", "one\ntwo\nthree\x1b[2A\rONE\x1b[2B\rTHREE\n", "ONE\ntwo\nTHREE\n"),
    ("up, column 0", "one\ntwo\x1b[FONE\x1b[ETWO\n", "ONE\nTWO\n"),
    ("reverse line feed", "one\ntwo\x1bM\rONE\n", "ONE\ntwo"),
    ("erase below", "one\ntwo\nthree\x1b[2A\x1b[Jand\n", "one  and\n"),
    ("clear the screen", "one\ntwo\x1b[2J\x1b[Hthree\n", "one\ntwo\nthree\n"),
    ("up at the beginning", "\x1b[2Aone\n", "one\n"),
    ("up to lines that are not written", "\x1b[3A\x1b[2Bone\n", "one\n"),
    ("far to the right", "a\x1b[99999999Cx\n", f"a{' ' * (MAX_COLUMN - 1)}x\n"),
    ("a broken sequence", "a\x1b[\nb\x1b\n", "a\nb\n"),
    ("an absurd number", f"a\x1b[{'9' * 50}Bb\x1b[{'9' * 50}Dc\n", "cb\n"),
    ("not ASCII", "Müller\r日本語\n", "日本語ler\n"),
]


@pytest.mark.parametrize(("written", "text"), [case[1:] for case in FOLDED], ids=[case[0] for case in FOLDED])
def test_what_is_written_is_folded(written: str, text: str) -> None:
    assert fold(written) == text


def test_lines_are_final_at_their_newline() -> None:
    terminal = Terminal()
    assert terminal.feed("one\ntw") == "one\n"
    assert terminal.feed("o\nthree\r") == "two\n"
    assert terminal.feed("THREE") == ""
    assert terminal.close() == "THREE"
    assert terminal.feed("as new\n") == "as new\n"


def test_a_sequence_may_come_in_pieces() -> None:
    written = "a\x1b[31mb\x1b[0m\r\nc\x1b]0;title\x1b\\d\x1b[2Ke\x1b(B\n"
    for cut in range(len(written) + 1):
        assert fold(written[:cut], written[cut:]) == "ab\n  e\n"
    assert fold(*written) == "ab\n  e\n"


def test_however_it_is_cut_the_text_is_the_same() -> None:
    chance = random.Random(1)
    parts = [
        "a",
        "bc ",
        "ä",
        "\n",
        "\r",
        "\r\n",
        "\b",
        "\x1b[K",
        "\x1b[2K",
        "\x1b[1m",
        "\x1b[3D",
        "\x1b[4C",
        "\x1b]0;t\x07",
    ]
    for _ in range(200):
        written = "".join(chance.choices(parts, k=100))
        pieces, at = [], 0
        while at < len(written):
            length = chance.randint(1, 9)
            pieces.append(written[at : at + length])
            at += length
        assert fold(*pieces) == fold(written)


@pytest.mark.parametrize("every", [1, 5, ALL])
def test_a_tqdm_bar_is_one_line(every: int) -> None:
    screen = Screen(every)
    print("before", file=screen)
    for _ in tqdm(range(20), file=screen, desc="epoch", mininterval=0, ncols=60):
        pass
    print("after", file=screen)
    before, bar, after = screen.lines()
    assert (before, after) == ("before", "after")
    assert bar.startswith("epoch: 100%|")
    assert "20/20" in bar


@pytest.mark.parametrize("leave", [True, False])
@pytest.mark.parametrize("every", [7, ALL])
def test_nested_tqdm_bars_fold(every: int, leave: bool) -> None:
    screen = Screen(every)
    print("before", file=screen)
    for epoch in tqdm(range(3), file=screen, desc="outer", mininterval=0, ncols=60):
        for _ in tqdm(range(20), file=screen, desc="inner", mininterval=0, ncols=60, leave=leave):
            pass
        tqdm.write(f"epoch {epoch} is over", file=screen)
    print("after", file=screen)
    lines = screen.lines()
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert [line for line in lines if "is over" in line] == [f"epoch {epoch} is over" for epoch in range(3)]
    assert len([line for line in lines if line.startswith("inner: 100%")]) == (3 if leave else 0)
    assert len([line for line in lines if line.startswith("outer: 100%")]) == 1
    # a cut between two bars' first drawing leaves a line of an early state at most
    assert len(lines) <= (9 if leave else 6) + (0 if every == ALL else 3)


@pytest.mark.parametrize("every", [1, ALL])
@pytest.mark.parametrize("transient", [True, False])
def test_a_rich_progress_of_several_rows_folds(every: int, transient: bool) -> None:
    screen = Screen(every)
    console = RichConsole(file=screen, force_terminal=True, color_system="truecolor", width=80, legacy_windows=False)
    console.print("[bold red]before[/]")
    columns = (TextColumn("{task.description}"), BarColumn(10), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, console=console, auto_refresh=False, transient=transient) as progress:
        tasks = [progress.add_task(name, total=3) for name in ("train", "validate", "test")]
        progress.refresh()
        for step in range(3):
            for task in tasks:
                progress.advance(task)
                progress.refresh()
            progress.console.print(f"step {step}\nis over")
    console.print("after")
    console.print("the end")
    lines = screen.lines()
    logged = [line for step in range(3) for line in (f"step {step}", "is over")]
    bars = [] if transient else [f"{name} ━━━━━━━━━━ 3/3" for name in ("train", "validate", "test")]
    assert [" ".join(line.split()) for line in lines] == ["before", *logged, *bars, "after", "the end"]


def test_bars_that_are_drawn_now_and_then_fold() -> None:
    terminal = Terminal()
    final = terminal.feed("\x1b[?25lfirst 0%\nsecond 0%\nthird 0%")
    for percent in range(1, 100):
        final += terminal.feed(f"\x1b[2A\rfirst {percent}%\nsecond {percent}%")
        final += terminal.feed(f"\nthird {percent}%")
        if percent == 50:
            final += terminal.feed("\x1b[2A\rlog\x1b[K\nfirst 50%\x1b[K\nsecond 50%\nthird 50%")
    assert final == "log\n"
    assert terminal.close() == "first 99%\nsecond 99%\nthird 99%"


def test_bars_of_which_one_at_a_time_moves_fold() -> None:
    terminal = Terminal()
    final = terminal.feed("\x1b[?25lfirst 0%\nsecond 0%\nthird 0%\n")
    for percent in range(1, 100):
        for name, up in (("first", 3), ("second", 2), ("third", 1)):
            move = f"\x1b[{up}A\r{name} {percent}%\r\x1b[{up}B"
            final += terminal.feed(move if percent % 2 else move + "\x1b[1A\x1b[1B")
    assert final == ""
    assert terminal.close() == "first 99%\nsecond 99%\nthird 99%\n"


def test_the_cursor_comes_back_to_the_last_lines_only() -> None:
    lines = fold("".join(f"{number}\n" for number in range(300)) + "\x1b[299A\rX").splitlines()
    expected = [str(number) for number in range(300)]
    expected[301 - MAX_ROWS] = "X" + expected[301 - MAX_ROWS][1:]
    assert lines == expected


def test_lines_are_not_held_back_for_long_after_bars() -> None:
    terminal = Terminal()
    terminal.feed("a\nb\nc\x1b[2A\rA\n\n\n")
    final = "".join(terminal.feed(f"line {number}\n") for number in range(10))
    assert final.endswith("line 9\n")
    assert terminal.feed("line 10\n") == "line 10\n"


def test_lines_after_a_hidden_cursor_are_not_held_back_for_long() -> None:
    terminal = Terminal()
    assert terminal.feed("\x1b[?25lone\n") == ""
    assert terminal.feed("two\n") == "one\ntwo\n"


def test_kerass_progress_bar_is_one_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    progress_bar = pytest.importorskip("keras.utils").Progbar

    for epoch in range(2):
        print(f"Epoch {epoch + 1}/2")
        bar = progress_bar(30, interval=0)
        bar._dynamic_display = True  # as at a terminal
        for step in range(1, 31):
            bar.update(step, [("loss", 1 / step), ("accuracy", 1.0)])
    written = capsys.readouterr().out
    assert "\b" in written
    for text in (fold(written), fold(*(written[at : at + 11] for at in range(0, len(written), 11)))):
        lines = text.splitlines()
        assert len(lines) == 4, lines
        assert lines[2] == "Epoch 2/2"
        assert lines[3].startswith("30/30 ━")
        assert "accuracy: 1.0000" in lines[3]


def test_a_line_without_end_is_passed_on_unchanged() -> None:
    terminal = Terminal()
    line = "0123456789" * 10_000
    final = "".join(terminal.feed(line[at : at + 1_000]) for at in range(0, len(line), 1_000))
    assert len(line) - len(final) <= MAX_LINE_CHARS
    assert final + terminal.feed("\nnext\n") == line + "\nnext\n"


def rubbish(size: int) -> Iterator[tuple[str, str]]:
    chance = random.Random(1)
    yield "no newline", "x" * size
    yield "newlines", "\n" * size
    yield "blanks", " " * size
    yield "bytes", chance.randbytes(size).decode("latin-1")
    yield "broken UTF-8", chance.randbytes(size).decode("utf-8", "replace")
    yield "controls", "".join(chance.choices([chr(code) for code in range(32)], k=size))
    yield "escapes", "\x1b" * size
    yield "a title without end", "\x1b]" + "a" * size
    yield "open sequences", "\x1b[1" * (size // 3)
    yield "a number without end", "\x1b[" + "1" * size
    yield "up", "\x1b[200A" * (size // 6)
    yield "up and down", "a\x1b[200A\n\x1b[200Bb\n" * (size // 17)
    yield "right", "\x1b[999Cx\n" * (size // 9)
    yield "cleared", "\x1b[2J\x1b[200A" * (size // 10)
    yield "long lines rewritten", ("x" * 4_000 + "\r") * (size // 4_001)
    moves = ("\x1b[" + str(chance.choice([0, 1, 2, 9, 999])) + chance.choice("ABCDEFGHJKm") for _ in range(size))
    yield (
        "moves",
        "".join(move + chance.choice(["", "x", "\n", "\r"]) for _, move in zip(range(size // 6), moves, strict=False)),
    )


@pytest.mark.parametrize(("kind", "text"), list(rubbish(1_000_000)), ids=[kind for kind, _ in rubbish(1_000)])
def test_rubbish_takes_bounded_memory_and_linear_time(kind: str, text: str) -> None:
    terminal = Terminal()
    started = time.perf_counter()
    for at in range(0, len(text), 50_000):
        terminal.feed(text[at : at + 50_000])
    assert time.perf_counter() - started < 10, "seconds for a million characters"  # a tenth of it here
    kept: Callable[[], int] = lambda: sum(map(len, terminal._rows)) + len(terminal._partial)  # noqa: E731
    assert kept() <= 300_000
    terminal.close()
    assert kept() == 0


def test_a_hundred_megabytes_in_one_line_take_little_memory() -> None:
    terminal = Terminal()
    piece = "x" * 100_000
    tracemalloc.start()
    try:
        for _ in range(1_000):
            terminal.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
