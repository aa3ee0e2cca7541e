"""The console's output: who is heard, and that printing stays what it was."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tqdm import tqdm
from tqdm.contrib import DummyTqdmFile

from losswise.capture import console as console_module
from losswise.capture.console import Console
from losswise.util.messages import notify
from tests.client.capture.hearing import taken


@pytest.fixture
def made() -> Iterator[Callable[..., Console]]:
    """Makes consoles that have started, and stops them."""
    consoles: list[Console] = []

    def make(wake: Callable[[], None] = lambda: None) -> Console:
        console = Console(wake)
        console.start()
        consoles.append(console)
        return console

    yield make
    for console in consoles:
        console.stop()
    assert console_module._hook.consoles == ()
    assert console_module._hook._streams == []


@pytest.fixture
def console(made: Callable[..., Console]) -> Console:
    return made()


def test_stdout_and_stderr_in_the_order_of_writing(
    capsys: pytest.CaptureFixture[str], made: Callable[..., Console]
) -> None:
    console = made()
    print("one")
    print("two", file=sys.stderr)
    print("three", "four", sep=", ")
    sys.stdout.writelines(["five\n", "six\n"])
    assert taken(console) == "one\ntwo\nthree, four\nfive\nsix\n"
    assert capsys.readouterr() == ("one\nthree, four\nfive\nsix\n", "two\n")


def test_what_came_before_and_after_is_not_heard(made: Callable[..., Console]) -> None:
    print("before")
    console = made()
    print("meanwhile")
    console.stop()
    print("after")
    assert taken(console) == "meanwhile\n"


def test_the_streams_are_as_before_when_the_last_stops(made: Callable[..., Console]) -> None:
    streams = (sys.stdout, sys.stderr)
    was = [(dict(vars(stream)), stream.isatty(), stream.encoding) for stream in streams]
    first, second = made(), made()
    assert (sys.stdout, sys.stderr) == streams
    assert [(stream.isatty(), stream.encoding) for stream in streams] == [entry[1:] for entry in was]
    assert all("write" in vars(stream) for stream in streams)
    first.stop()
    print("one hears")
    assert taken(second) == "one hears\n"
    assert taken(first) == ""
    second.stop()
    assert [(dict(vars(stream)), stream.isatty(), stream.encoding) for stream in streams] == was


def test_every_session_hears(made: Callable[..., Console]) -> None:
    consoles = [made(), made(), made()]
    print("hello")
    assert [taken(console) for console in consoles] == ["hello\n"] * 3


def test_starting_twice_is_hearing_once(console: Console) -> None:
    streams = list(console_module._hook._streams)
    console.start()
    assert console_module._hook._streams == streams
    print("once")
    assert taken(console) == "once\n"


def test_wake_is_called_once_until_it_is_taken(made: Callable[..., Console]) -> None:
    calls: list[str] = []
    console = made(lambda: calls.append(threading.current_thread().name))
    for _ in range(5):
        print("text")
    assert calls == [threading.current_thread().name]
    taken(console)
    print("more")
    assert len(calls) == 2


def test_an_error_of_ours_does_not_reach_the_caller(
    made: Callable[..., Console], capsys: pytest.CaptureFixture[str]
) -> None:
    def wake() -> None:
        raise RuntimeError("asleep")

    console = made(wake)
    for _ in range(3):
        assert sys.stdout.write("text\n") == 5
        console._is_announced = False
    output, errors = capsys.readouterr()
    assert output == "text\n" * 3
    assert len(errors.splitlines()) == 1
    assert "asleep" in errors
    assert taken(console).count("text\n") == 3


def test_saying_something_while_waking_does_not_recurse(made: Callable[..., Console]) -> None:
    console = made(lambda: notify("woken"))
    sys.stdout.write("text\n")
    assert taken(console) == "text\nlosswise: woken\n"


def test_errors_of_the_stream_are_passed_on(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    console.start()
    print("open")
    with pytest.raises(TypeError):
        stream.write(5)  # type: ignore[arg-type]
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        print("closed")
    assert taken(console) == "open\n"


class Slotted:
    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


@pytest.mark.parametrize("stream", [None, object(), Slotted()])
def test_streams_that_cannot_be_heard_are_let_alone(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        console = Console(lambda: None)
        console.start()
        if isinstance(stream, Slotted):
            print("text")
        print("heard", file=sys.stderr)
        console.stop()
    assert taken(console) == "heard\n"
    if isinstance(stream, Slotted):
        assert stream.text == "text\n"


class Minimal:
    """As notebooks have one: no file, only a write."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)


def test_any_object_with_a_write_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Minimal()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        patched.setattr(sys, "stderr", stream)
        console = Console(lambda: None)
        console.start()
        print("out")
        print("err", file=sys.stderr)
        console.stop()
        print("after")
    assert stream.written == ["out", "\n", "err", "\n", "after", "\n"]
    assert taken(console) == "out\nerr\n"
    assert vars(stream) == {"written": stream.written}


def test_output_that_goes_elsewhere_is_not_the_consoles(console: Console) -> None:
    elsewhere = io.StringIO()
    with contextlib.redirect_stdout(elsewhere):
        print("elsewhere")
        print("here", file=sys.stderr)
    print("here again")
    assert elsewhere.getvalue() == "elsewhere\n"
    assert taken(console) == "here\nhere again\n"


class Tee(io.StringIO):
    """As scripts make one: writes to the stream that was there, too."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(text)
        return super().write(text)


def test_a_stream_over_another_is_heard_once(made: Callable[..., Console], monkeypatch: pytest.MonkeyPatch) -> None:
    first = made()
    monkeypatch.setattr(sys, "stdout", Tee(sys.stdout))
    second = made()
    print("text")
    assert (taken(first), taken(second)) == ("text\n", "text\n")


def test_a_stream_that_passes_attributes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """tqdm's way to print above bars: its stream hands attributes that are set to the stream below."""
    screen = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", DummyTqdmFile(screen))
        console = Console(lambda: None)
        console.start()
        print("text")
        console.stop()
        print("after")
    assert screen.getvalue() == "text\nafter\n"
    assert "write" not in vars(screen)
    assert taken(console) == "text\n"


def test_who_puts_his_own_write_over_ours_keeps_it(made: Callable[..., Console]) -> None:
    stream = sys.stdout
    console = made()
    heard: list[str] = []
    ours = stream.write
    stream.write = lambda text: (heard.append(text), ours(text))[1]  # type: ignore[method-assign]
    try:
        print("a")
        console.stop()
        print("b")
        console.start()
        print("c")
        console.stop()
        print("d")
        assert "".join(heard) == "a\nb\nc\nd\n"
        assert taken(console) == "a\nc\n"
    finally:
        del stream.write


def test_a_handler_that_holds_the_stream_is_captured(made: Callable[..., Console]) -> None:
    handler = logging.StreamHandler(sys.stderr)  # made before the session
    logger = logging.Logger("training")
    logger.addHandler(handler)
    console = made()
    logger.info("%s of %s", 1, 2)
    for _ in tqdm(range(3), desc="epoch", ncols=50, mininterval=0):
        pass
    logged, bar = taken(console).splitlines()
    assert logged == "1 of 2"
    assert bar.startswith("epoch: 100%")


def test_threads_lose_nothing(console: Console) -> None:
    texts: list[str] = []

    def write(number: int) -> None:
        for line in range(500):
            sys.stdout.write(f"thread {number} line {line}\n")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        texts.append(taken(console))
    for thread in threads:
        thread.join()
    texts.append(taken(console))
    lines = "".join(texts).splitlines()
    assert sorted(lines) == sorted(f"thread {number} line {line}" for number in range(8) for line in range(500))
    for number in range(8):
        own = [line for line in lines if line.startswith(f"thread {number} ")]
        assert own == [f"thread {number} line {line}" for line in range(500)]


def test_printing_stays_cheap(console: Console) -> None:
    stream = sys.stdout
    amount, best = 10_000, 1.0
    for _ in range(5):
        started = time.thread_time()
        for _ in range(amount):
            stream.write(".")
        best = min(best, (time.thread_time() - started) / amount)
        taken(console)
    assert best < 20e-6  # 1 µs where nothing else runs


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_keeps_its_own_output_only(console: Console) -> None:
    print("the parent's")
    receiver, sender = os.pipe()
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with console_module._hook._lock:
            held.set()
            let_go.wait(20)

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait(20)
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)  # rather than wait for ever
        try:
            console.after_fork()
            print("the child's")
            console.start()
            os.write(sender, taken(console).encode())
        finally:
            os._exit(0)
    let_go.set()
    holding.join()
    os.waitpid(pid, 0)
    os.close(sender)
    assert os.read(receiver, 1_000).decode() == "the child's\n"
    assert taken(console) == "the parent's\n"
