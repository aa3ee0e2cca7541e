"""The console output of this process, for the sessions that keep it.

Python's `sys.stdout` and `sys.stderr` are listened to by an attribute on the stream objects, so they stay the
objects that they are, and whoever holds one (logging, progress bars) is heard. What C code or a child process
writes to the file descriptors is not, nor are bytes written to `sys.stdout.buffer`.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from losswise.capture.terminal import Terminal
from losswise.protocol.records import Record, text_record
from losswise.util import messages
from losswise.util.messages import say_error
from losswise.values.jsonable import to_text

EVERY = 1.0
"""Seconds between two records of a console."""
LOOK = 0.1
"""Seconds until the next look where no line was finished: `print` writes a line and its end apart."""
MAX_SENT = 100_000
"""Characters in a record: of more, head and tail are kept."""
MAX_FOLDED = 400_000
"""Characters that are folded for a record; more than MAX_SENT, since progress bars fold to little."""
MAX_PENDING = 4 * 1024 * 1024
"""Bytes that wait for the journal thread; of more, the oldest go."""
TAIL = 64
"""Characters of the last text that are looked at for whether it ended its line."""

_ENDED = re.compile(r"\n(?:\x1b\[[0-9;]*m)*\Z")
_MOVED_UP = re.compile(r"\x1b\[\d*[AF]\Z")


class Console:
    """What this process prints to stdout and stderr, in the order of writing, as the session's text 'console'.

    Args:
        wake: called on the writing thread when something is pending that was not announced yet.

    Example:
        >>> console = Console(wake=lambda: None)
        >>> console.start()
        >>> print("epoch 1")
        epoch 1
        >>> console.stop()
        >>> [record["text"] for record in console.take(final=True)]
        ['epoch 1\\n']
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._forget()

    def _forget(self) -> None:
        self._pending: deque[str] = deque()
        self._size = 0
        self._lost = 0
        self._told = False
        self._next = 0.0
        self._terminal = Terminal()

    def start(self) -> None:
        """Listen to what sys.stdout and sys.stderr are now."""
        _hook.add(self)

    def stop(self) -> None:
        """Listen no longer. What was heard can still be taken."""
        _hook.remove(self)

    def after_fork(self) -> None:
        """In a forked child: the parent sends what it heard; what the child writes is heard for the child."""
        _hook.after_fork()
        self._forget()

    # the writing thread

    def hear(self, text: str) -> None:
        """Keep a text for the journal thread. Costs half a microsecond and never waits."""
        if len(text) > MAX_FOLDED:
            self._lost += len(text) - MAX_FOLDED
            text = text[-MAX_FOLDED:]
        self._pending.append(text)
        self._size += sys.getsizeof(text)  # not exact where threads meet: counted again before anything goes
        if self._size > MAX_PENDING:
            self._shed()
        if not self._told:
            self._told = True
            self._wake()

    def _shed(self) -> None:
        self._size = sum(map(sys.getsizeof, list(self._pending)))
        if self._size <= MAX_PENDING:
            return
        with contextlib.suppress(IndexError):  # the journal thread takes them, too
            while self._size > MAX_PENDING * 3 // 4:
                text = self._pending.popleft()
                self._size -= sys.getsizeof(text)
                self._lost += len(text)

    # the journal thread

    def waiting(self) -> int:
        """Bytes that were heard and not taken. An unfinished line that was taken is not among them."""
        return max(1, self._size) if self._pending else 0

    def take(self, final: bool) -> list[Record]:
        """At most one record with the lines that are finished, at most once a second.

        Args:
            final: the session ends: take what there is now, unfinished lines as well.
        """
        now = time.monotonic()
        if not final and (not self._pending or now < self._next):
            return []
        try:
            text = to_text(self._fold(final), 2 * MAX_SENT)
        except Exception as error:
            say_error("reading console output", error)
            self._terminal = Terminal()
            text = ""
        self._next = now + (EVERY if text else LOOK)
        return [text_record("console", text, append=True)] if text else []

    def _fold(self, final: bool) -> str:
        text, lost = self._drain()
        head = tail = ""
        if lost:
            tail = self._terminal.feed(text[-MAX_FOLDED:])
            lost += max(0, len(text) - MAX_FOLDED)
        elif len(text) > MAX_FOLDED:
            head = self._terminal.feed(text[: MAX_FOLDED // 2])
            tail = self._terminal.feed(text[-MAX_FOLDED // 2 :])
            lost = len(text) - MAX_FOLDED
        else:
            tail = self._terminal.feed(text)
        if final:
            tail += self._terminal.close()
            # what comes after it, from this process or another one, begins a line of its own
            tail += "\n" if tail and not tail.endswith("\n") else ""
        return _shortened(head, tail, lost)

    def _drain(self) -> tuple[str, int]:
        """What was heard, and how many characters were lost before it."""
        self._told = False  # from here on the next text wakes this thread
        self._size = 0
        lost, self._lost = self._lost, 0
        texts = []
        with contextlib.suppress(IndexError):
            while True:
                texts.append(self._pending.popleft())
        return "".join(texts), lost


def _shortened(head: str, tail: str, lost: int) -> str:
    """Head and tail in MAX_SENT characters, with a note between them of what was lost there."""
    if not lost and len(head) + len(tail) <= MAX_SENT:
        return head + tail
    half = MAX_SENT // 2
    if not head:
        head, tail = ("", tail) if lost else (tail[:half], tail[half:])
    lost += max(0, len(head) - half) + max(0, len(tail) - half)
    head, tail = head[:half], tail[-half:]
    if head and not head.endswith("\n"):
        head += "\n"
    return f"{head}… [left out by losswise: {lost} characters]\n{tail}"


class _Hook:
    """Listens to the streams of this process for all consoles that have started.

    Attributes:
        tail: the end of what was last written to any of them; empty where nothing was.
    """

    def __init__(self) -> None:
        self.consoles: tuple[Console, ...] = ()
        self.tail = ""
        self._streams: list[_Stream] = []
        self._left: tuple[Any, str] = (None, "")  # stderr, and what ends its line, when nobody listened any more
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child the lock may be held by a thread that is not there."""
        self._lock = threading.RLock()  # a signal handler may end a session while one is starting

    def add(self, console: Console) -> None:
        with self._lock:
            if console not in self.consoles:
                self.consoles = (*self.consoles, console)
            for stream in (getattr(sys, "stdout", None), getattr(sys, "stderr", None)):
                if not any(known.stream is stream and known.is_in_place() for known in self._streams):
                    listened = _Stream(stream)
                    if listened.is_in_place():
                        self._streams.append(listened)

    def remove(self, console: Console) -> None:
        with self._lock:
            self.consoles = tuple(other for other in self.consoles if other is not console)
            if not self.consoles:
                self._leave()

    def _leave(self) -> None:
        end = messages.line_end(sys.stderr)
        if end:
            self._left = (sys.stderr, end)
        else:
            messages.ended_at = time.time()
        while self._streams:
            self._streams.pop().restore()
        self.tail = ""

    def hear(self, stream: _Stream, text: Any) -> None:
        if isinstance(text, str) and text:
            stream.tail = self.tail = text[-TAIL:]
            for console in self.consoles:
                console.hear(text)

    def last_line(self, stream: Any) -> tuple[str, float]:
        """Called before a message: what ends the last line on this stream, and since when it is listened to. The
        line that is last in the consoles is ended here, should it be another."""
        known = next((known for known in list(self._streams) if known.stream is stream and known.is_in_place()), None)
        if known is None:
            (left, end), self._left = self._left, (None, "")
            return end if left is stream else "", math.inf
        tail = self.tail if messages.is_one_place(sys.stdout, stream) else known.tail
        end, end_of_all = _end_of(tail), _end_of(self.tail)
        if end_of_all and not end:
            for console in self.consoles:
                console.hear(end_of_all)
        return end, known.since


def _end_of(tail: str) -> str:
    """What ends the line that ends so. Bars below the one that the cursor went up to are drawn anew."""
    return "" if not tail or _ENDED.search(tail) else "\n\x1b[J" if _MOVED_UP.search(tail) else "\n"


class _Inside(threading.local):
    """Whether this thread is inside a stream's write: a stream that writes to another one is heard once."""

    now = False


_hook = _Hook()
messages.last_line = _hook.last_line
_inside = _Inside()


class _Stream:
    """A stream object whose `write` is ours until it is restored."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.tail = ""
        self.since = time.time()
        self._write: Any = None
        with contextlib.suppress(Exception):  # None, or an object that does not allow it: it is not heard
            # not setattr: a stream that stands for another one may pass that on, and its write would call itself
            own = vars(stream)
            self._before = own.get("write")
            self._write = own["write"] = self._listening(stream.write)

    def is_in_place(self) -> bool:
        return self._write is not None and vars(self.stream).get("write") is self._write

    def restore(self) -> None:
        """Put back what was there, unless somebody has put his own in our place."""
        with contextlib.suppress(Exception):
            if not self.is_in_place():
                return
            if self._before is None:
                del vars(self.stream)["write"]
            else:
                vars(self.stream)["write"] = self._before

    def _listening(self, write: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(write)
        def listening_write(*arguments: Any, **named: Any) -> Any:
            if _inside.now or not _hook.consoles:
                return write(*arguments, **named)
            _inside.now = True
            try:
                result = write(*arguments, **named)
            finally:
                _inside.now = False
            try:
                if arguments:
                    _hook.hear(self, arguments[0])
            except Exception as error:
                say_error("keeping console output", error)
            return result

        return listening_write
