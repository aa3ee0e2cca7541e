"""Fold terminal output, such as progress bars, into the lines of plain text that were visible in the end."""

from __future__ import annotations

import re

# of a line that can still be rewritten; the beginning of a longer one is final
MAX_LINE_CHARS = 4_096
# lines that the cursor can come back to
MAX_ROWS = 200
# the cursor moves at most so far beyond the end of a line, as at a terminal's right edge
MAX_COLUMN = 250
MAX_SEQUENCE_CHARS = 4_000
# Of nested bars the inner one moves the cursor up less far than the outer one, and more often. So that the lines of the
# outer one are kept meanwhile, the reaches of the last three feeds that moved it count.
MAX_REACHES = 3
# A feed may end between bars that are drawn for the first time, so they may take two feeds.
DRAWING_FEEDS = 2

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x08\x0a-\x1f\x7f-\x9f]+)"
    r"|(?P<back>\x08+)"
    r"|\x1b\[(?P<numbers>[0-?]{0,60})[ -/]{0,8}(?P<command>[@-~])"
    rf"|\x1b[\]PX^_][^\x07\x1b]{{0,{MAX_SEQUENCE_CHARS}}}(?:\x07|\x1b\\)"  # titles, links and the like
    r"|\x1b[ -/]{0,8}(?P<escape>[0-~])"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
_UNFINISHED = re.compile(
    rf"\x1b(?:\[[0-?]{{0,60}}[ -/]{{0,8}}|[\]PX^_][^\x07\x1b]{{0,{MAX_SEQUENCE_CHARS}}}\x1b?|[ -/]{{0,8}})?\Z"
)


class _EmptyRow(list[str]):
    """A row above the known ones, to which the cursor moved up. It becomes a line only if it is written to."""


class Terminal:
    """Folds what is fed into lines: a progress bar keeps its last state, colours are removed, the cursor is followed.

    Nested bars are drawn by moving the cursor up, so a newline does not always make a line final. How many lines above
    the cursor are kept depends on what the program did last:

        plain     nothing of what follows, or it is over      none: a line is final at its newline
        drawing   the cursor was hidden, as before several    all since then, for two feeds with newlines
                  bars are drawn for the first time
        redrawn   the cursor moved up                         as many as it moved up in the last three feeds in which it
                                                              did, until more newlines came without it moving up

    Memory is bounded and the time linear, whatever is fed. Blanks at the end of a line are removed.

    Example:
        >>> terminal = Terminal()
        >>> terminal.feed("epoch 1\\n 10%")
        'epoch 1\\n'
        >>> terminal.feed("\\r\\x1b[32m100%\\x1b[0m\\nepo")
        '100%\\n'
        >>> terminal.close()
        'epo'
    """

    def __init__(self) -> None:
        self._out: list[str] = []
        self._partial = ""
        self._reset()

    def _reset(self) -> None:
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0
        self._reaches: list[int] = []  # rows from the last one up to the cursor, in the latest feeds that moved it up
        self._newlines_since = 0  # newlines in feeds since the cursor moved up or was hidden
        self._drawing_feeds = 0  # feeds with newlines for which it still counts that the cursor was hidden
        # in this feed
        self._reach = 0
        self._landed: int | None = None  # the row to which the cursor last moved up
        self._newlines = 0

    def feed(self, text: str) -> str:
        """Add output. Returns the text that is now final: whole lines, except parts of a very long one."""
        text = self._partial + text
        self._partial = ""
        if unfinished := _UNFINISHED.search(text, max(0, len(text) - MAX_SEQUENCE_CHARS - 100)):
            self._partial, text = unfinished[0], text[: unfinished.start()]
        is_plain = not self._reaches and not self._drawing_feeds
        is_one_line = len(self._rows) == 1 and self._column == len(self._rows[0])
        if is_plain and is_one_line and not _CONTROL.search(text):
            self._add_plain(text)
        else:
            self._interpret(text)
        self._settle()
        return self._take_output()

    def close(self) -> str:
        """Return the rest: unfinished lines, and those that could have been rewritten. Resets the terminal."""
        while len(self._rows) > self._row + 1 and not self._rows[-1]:
            self._rows.pop()
        self._release(len(self._rows) - 1)
        self._out.append(_line(self._rows[0]))
        self._reset()
        self._partial = ""
        return self._take_output()

    def _take_output(self) -> str:
        taken = "".join(self._out)
        self._out.clear()
        return taken

    # lines that are final

    def _release(self, count: int) -> None:
        """Make the first `count` rows final."""
        for row in self._rows[:count]:
            if row or not isinstance(row, _EmptyRow):
                self._out.append(_line(row) + "\n")
        del self._rows[:count]
        self._row = max(0, self._row - count)

    def _settle(self) -> None:
        """After a feed, find how many rows may still change, and release the others."""
        bottom = len(self._rows) - 1
        self._newlines_since += self._newlines
        if self._landed is not None:
            # what was written from there on may be more bars than before, or a message above them
            self._reaches = [*self._reaches[1 - MAX_REACHES :], max(self._reach, bottom - self._landed)]
            self._newlines_since = 0
        elif self._drawing_feeds:
            self._drawing_feeds -= self._newlines > 0
            self._reaches = [self._newlines_since] if self._drawing_feeds else []
        elif self._newlines_since > max(self._reaches, default=0):
            # bars of N lines are drawn again with N - 1 newlines: with more of them, the program went on
            self._reaches = []
        self._landed = None
        self._reach = self._newlines = 0
        self._release(max(0, min(self._row, bottom - max(self._reaches, default=0))))

    def _add_plain(self, text: str) -> None:
        """Fast path for the usual case: plain lines behind the text of the only row."""
        lines, newline, text = text.rpartition("\n")
        if newline:
            first, *others = lines.split("\n")
            self._out.append(_line([*self._rows[0], first]) + "\n")
            self._out += [line.rstrip(" ") + "\n" for line in others]
            self._reset()
        self._write(text)

    # what the program wrote, piece by piece

    def _interpret(self, text: str) -> None:
        for token in _TOKEN.finditer(text):
            kind = token.lastgroup
            if kind == "text":
                self._write(token[0])
            elif kind == "control":
                if token[0] in "\n\v\f":
                    self._newline()
                elif token[0] == "\r":
                    self._column = 0
            elif kind == "command":
                self._command(token["command"], token["numbers"])
            elif kind == "back":
                self._column = max(0, self._column - len(token[0]))
            elif kind == "escape" and token["escape"] in "cM":
                self._start_anew() if token["escape"] == "c" else self._up(1)

    def _write(self, text: str) -> None:
        row, column = self._rows[self._row], self._column
        row.extend(" " * (column - len(row)))  # nothing if the cursor is within the row
        end = column + len(text)
        if end <= MAX_LINE_CHARS:
            row[column:end] = text
            self._column = end
            return
        # too long to be kept until its end
        self._release(self._row)
        self._out.append("".join(row[:column]) + text)
        self._rows[0] = []
        self._column = 0

    def _newline(self) -> None:
        self._row += 1
        self._column = 0
        self._newlines += 1
        if self._row == len(self._rows):
            self._rows.append([])
            if len(self._rows) > MAX_ROWS:
                self._release(1)

    def _up(self, count: int) -> None:
        self._row -= count
        if self._row < 0:  # above the rows that are kept: what is written there becomes new lines
            added = min(-self._row, MAX_ROWS - len(self._rows))
            self._rows[:0] = [_EmptyRow() for _ in range(added)]
            self._row = 0
        self._reach = max(self._reach, len(self._rows) - 1 - self._row)
        self._landed = self._row
        self._drawing_feeds = 0

    def _command(self, command: str, numbers: str) -> None:
        """Execute a control sequence. Others than these, such as colours, have no effect on the text."""
        if command == "m":
            return
        first = numbers.partition(";")[0]
        number = int(first) if first.isascii() and first.isdigit() else 0
        count = max(1, number)
        if command in "AF":
            self._up(count)
        elif command in "BE":
            self._row = min(self._row + count, len(self._rows) - 1)
        elif command in "CDG":
            column = {"C": self._column + count, "D": max(0, self._column - count), "G": count - 1}[command]
            self._column = min(column, max(MAX_COLUMN, len(self._rows[self._row])))
        elif command == "K":
            self._erase(number)
        elif command == "J" and number == 0:
            self._erase(0)
            del self._rows[self._row + 1 :]
        elif command in "HfJ":
            self._start_anew()
        elif command == "l" and numbers == "?25":
            self._newlines = self._newlines_since = 0
            self._drawing_feeds = DRAWING_FEEDS
        if command in "EF":
            self._column = 0

    def _erase(self, what: int) -> None:
        """Erase in the line: 0 right of the cursor, 1 left of it, 2 all."""
        row = self._rows[self._row]
        if what == 0:
            del row[self._column :]
        elif what == 1:
            end = min(self._column + 1, len(row))
            row[:end] = " " * end
        elif what == 2:
            row.clear()

    def _start_anew(self) -> None:
        """Clear the screen: the text so far is final, and what follows begins below it."""
        self._row = len(self._rows) - 1
        self._reach, self._landed, self._reaches = 0, None, []
        if self._rows[-1]:
            self._newline()
        self._column = 0


def _line(row: list[str]) -> str:
    return "".join(row).rstrip(" ")
