"""Capture what this process prints, for the sessions that record it.

What is patched: the attribute `write` of the objects that sys.stdout and sys.stderr are when a session starts. The
objects themselves stay in place, so code that already holds one (logging handlers, progress bars) is captured too. The
original `write` is called first; what it raises or returns is passed on. The patch is removed when the last session
that records its console ends, unless other code has replaced it meanwhile.

What is not captured:
- output of C code and of child processes, which write to the file descriptors;
- bytes written to `sys.stdout.buffer`;
- what is written to a stream that replaces sys.stdout while the session runs, such as `contextlib.redirect_stdout`;
- streams that allow no attribute `write`.

The thread that prints appends the text to a deque. The journal writer takes it from there about once a second, folds
progress bars to their last state (see terminal.py), and records the finished lines. A session records at most 1 MiB.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from losswise.protocol.records import Record, text_record
from losswise.util import messages
from losswise.util.messages import notify_error
from losswise.values.texts import to_text

if TYPE_CHECKING:
    from losswise.capture.terminal import Terminal

RECORD_INTERVAL_S = 1.0
# `print` writes a line and its end separately, so an unfinished line is looked at again soon
UNFINISHED_INTERVAL_S = 0.1
# of more, head and tail are kept
MAX_RECORD_CHARS = 100_000
# folded at once; more than MAX_RECORD_CHARS, since progress bars fold to little
MAX_FOLDED_CHARS = 400_000
# of more, the oldest are dropped
MAX_PENDING_BYTES = 4 * 1024 * 1024
# of a line, which is then final as far as it goes
MAX_UNFINISHED_CHARS = 4_096
# remembered of the last text, to see whether its line is finished
TAIL_CHARS = 64

# characters and sequences that change more than the end of the text
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# a line counts as finished if only colour sequences follow its newline
_FINISHED = re.compile(r"\n(?:\x1b\[[0-9;]*m)*\Z")


class Console:
    """The output of this process to stdout and stderr, in the order of writing, as the session's text 'console'.

    Args:
        wake: called on the thread that prints when there is output that was not announced yet.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._forget()

    def _forget(self) -> None:
        self._pending: deque[str] = deque()
        self._size = 0
        self._dropped_chars = 0
        self._is_announced = False
        self._next_record_at = 0.0
        self._lines: Terminal | PlainLines = PlainLines()
        self._has_control = False

    def start(self) -> None:
        """Patch what sys.stdout and sys.stderr are now."""
        _hook.add(self)

    def stop(self) -> None:
        """Capture nothing from here on. What was captured can still be taken."""
        _hook.remove(self)

    def after_fork(self) -> None:
        """In a forked child: discard what the parent sends, and capture the child's output."""
        _hook.after_fork()
        self._forget()

    # the thread that prints

    def add(self, text: str) -> None:
        """Keep a text for the journal writer. Takes half a microsecond and never waits."""
        if len(text) > MAX_FOLDED_CHARS:
            self._dropped_chars += len(text) - MAX_FOLDED_CHARS
            text = text[-MAX_FOLDED_CHARS:]
        if not self._has_control and _CONTROL.search(text):
            import losswise.capture.terminal  # noqa: F401 - here, so that no fork meets an import on the other thread

            self._has_control = True
        self._pending.append(text)
        self._size += sys.getsizeof(text)  # inexact if threads meet: counted again before anything is dropped
        if self._size > MAX_PENDING_BYTES:
            self._drop_oldest()
        if not self._is_announced:
            self._is_announced = True
            self._wake()

    def _drop_oldest(self) -> None:
        self._size = sum(map(sys.getsizeof, list(self._pending)))
        if self._size <= MAX_PENDING_BYTES:
            return
        with contextlib.suppress(IndexError):  # the journal writer takes them, too
            while self._size > MAX_PENDING_BYTES * 3 // 4:
                text = self._pending.popleft()
                self._size -= sys.getsizeof(text)
                self._dropped_chars += len(text)

    # the journal writer

    def waiting(self) -> int:
        """Return how many bytes are captured and not taken. An unfinished line that was taken is not among them."""
        return max(1, self._size) if self._pending else 0

    def take(self, final: bool) -> list[Record]:
        """Return the finished lines as at most one record, at most once a second. With `final`, return all there is."""
        now = time.monotonic()
        if not final and (not self._pending or now < self._next_record_at):
            return []
        try:
            text = to_text(self._fold(final), 2 * MAX_RECORD_CHARS)
        except Exception as error:
            notify_error("reading console output", error)
            self._lines = PlainLines()
            text = ""
        self._next_record_at = now + (RECORD_INTERVAL_S if text else UNFINISHED_INTERVAL_S)
        return [text_record("console", text, append=True)] if text else []

    def _fold(self, final: bool) -> str:
        self._is_announced = False  # from here on the next text wakes the journal writer
        self._size = 0
        dropped, self._dropped_chars = self._dropped_chars, 0
        texts = []
        with contextlib.suppress(IndexError):
            while True:
                texts.append(self._pending.popleft())
        text = "".join(texts)
        if self._has_control and isinstance(self._lines, PlainLines):
            from losswise.capture.terminal import Terminal

            unfinished, self._lines = self._lines.unfinished, Terminal()
            self._lines.feed(unfinished)
        head = ""
        excess = max(0, len(text) - MAX_FOLDED_CHARS)
        if excess and not dropped:
            half = MAX_FOLDED_CHARS // 2
            head, text = self._lines.feed(text[:half]), text[half:]
        tail = self._lines.feed(text[excess:])
        if final:
            tail += self._lines.close()
            # what follows, from this process or another one, begins on a line of its own
            tail += "\n" if tail and not tail.endswith("\n") else ""
        return _shortened(head, tail, dropped + excess)


class PlainLines:
    """Folds output without control characters as `Terminal` does, which is not loaded for it."""

    def __init__(self) -> None:
        self.unfinished = ""

    def feed(self, text: str) -> str:
        lines, newline, self.unfinished = (self.unfinished + text).rpartition("\n")
        final = "".join(line.rstrip(" ") + "\n" for line in lines.split("\n")) if newline else ""
        if len(self.unfinished) > MAX_UNFINISHED_CHARS:
            final, self.unfinished = final + self.unfinished, ""
        return final

    def close(self) -> str:
        unfinished, self.unfinished = self.unfinished, ""
        return unfinished.rstrip(" ")


def _shortened(head: str, tail: str, dropped: int) -> str:
    """Return head and tail in MAX_RECORD_CHARS, with a note between them that says how many characters are left out."""
    if not dropped and len(head) + len(tail) <= MAX_RECORD_CHARS:
        return head + tail
    half = MAX_RECORD_CHARS // 2
    if not head and not dropped:
        head, tail = tail[:half], tail[half:]
    dropped += max(0, len(head) - half) + max(0, len(tail) - half)
    head, tail = head[:half], tail[-half:]
    if head and not head.endswith("\n"):
        head += "\n"
    return f"{head}… [left out by losswise: {dropped} characters]\n{tail}"


class _Hook:
    """The patched streams of this process, and the consoles that have started.

    Attributes:
        writes: number of texts captured so far.
        tail: the end of the text that was last written to any of the streams; "" before the first.
    """

    def __init__(self) -> None:
        self.consoles: tuple[Console, ...] = ()
        self.writes = 0
        self.tail = ""
        self._streams: list[_PatchedStream] = []
        # stderr and what ended its last line, when the last console stopped
        self._left: tuple[Any, str] = (None, "")
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: replace the lock, which a thread that does not exist there may hold."""
        self._lock = threading.RLock()  # reentrant: a signal handler may end a session while another starts

    def add(self, console: Console) -> None:
        with self._lock:
            if console not in self.consoles:
                self.consoles = (*self.consoles, console)
            for stream in (sys.stdout, sys.stderr):
                if self._patched(stream) is None and (patched := _PatchedStream(stream)).is_in_place():
                    self._streams.append(patched)

    def remove(self, console: Console) -> None:
        with self._lock:
            self.consoles = tuple(other for other in self.consoles if other is not console)
            if not self.consoles:
                self._left = sys.stderr, self.finish_line(sys.stderr)
                while self._streams:
                    self._streams.pop().restore()
                self.tail = ""

    def _patched(self, stream: Any) -> _PatchedStream | None:
        return next((known for known in list(self._streams) if known.stream is stream and known.is_in_place()), None)

    def on_write(self, stream: _PatchedStream, text: Any) -> None:
        if isinstance(text, str) and text:
            text = str.__str__(text)  # of an instance of a subclass
            self.writes += 1
            stream.tail = self.tail = text[-TAIL_CHARS:]
            for console in self.consoles:
                console.add(text)

    def finish_line(self, stream: Any) -> str:
        """Return what finishes the last line on a stream before a message: a newline, or "" if nothing does.

        Where that line is finished, but the last one in the consoles is not, as when the other stream goes to another
        place, it is finished in the consoles alone.
        """
        known = self._patched(stream)
        if known is None:
            (left, end), self._left = self._left, (None, "")
            return end if left is stream else ""
        share_a_terminal = False  # or two of them, after an odd redirection
        with contextlib.suppress(Exception):
            share_a_terminal = sys.stdout.isatty() and sys.stderr.isatty()
        end_of_all = _line_end(self.tail)
        end = end_of_all if share_a_terminal else _line_end(known.tail)
        if end_of_all and not end:
            for console in self.consoles:
                console.add(end_of_all)
        return end


def _line_end(tail: str) -> str:
    return "" if not tail or _FINISHED.search(tail) else "\n"


_hook = _Hook()
messages.output = _hook
# whether this thread is inside a patched write: a stream that writes to another one is captured once
_inside = threading.local()


class _PatchedStream:
    """A stream object whose `write` is ours until it is restored."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.tail = ""
        self._write: Any = None
        with contextlib.suppress(Exception):  # None, or an object that does not allow it: it is not captured
            # not setattr: a stream that stands for another one may pass that on, and its write would call itself
            attributes = vars(stream)
            self._before = attributes.get("write")
            self._write = attributes["write"] = self._capturing(stream.write)

    def is_in_place(self) -> bool:
        return self._write is not None and vars(self.stream).get("write") is self._write

    def restore(self) -> None:
        """Put back what was there, unless other code has replaced our `write`."""
        if self.is_in_place():
            if self._before is not None:
                vars(self.stream)["write"] = self._before
            else:
                del vars(self.stream)["write"]

    def _capturing(self, write: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(write)
        def capturing_write(*arguments: Any, **named: Any) -> Any:
            if getattr(_inside, "now", False) or not _hook.consoles:
                return write(*arguments, **named)
            _inside.now = True
            try:
                result = write(*arguments, **named)
            finally:
                _inside.now = False
            try:
                if arguments:
                    _hook.on_write(self, arguments[0])
            except Exception as error:
                notify_error("keeping console output", error)
            return result

        return capturing_write
