"""What a program writes to a terminal, folded into the lines of plain text that a person saw in the end."""

from __future__ import annotations

import re

MAX_LINE = 4_096
"""Characters of a line that can still be rewritten; the beginning of a longer one is final."""
MAX_ROWS = 200
"""Lines that cursor movements can come back to."""
WIDTH = 250
"""The cursor moves at most so far beyond the end of a line, as at a terminal's right edge."""
MAX_SEQUENCE = 4_000
FEEDS = 3
"""Feeds with cursor movements after which an earlier one is forgotten."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x08\x0a-\x1f\x7f-\x9f]+)"
    r"|(?P<back>\x08+)"
    r"|\x1b\[(?P<numbers>[0-?]{0,60})[ -/]{0,8}(?P<command>[@-~])"
    rf"|\x1b[\]PX^_][^\x07\x1b]{{0,{MAX_SEQUENCE}}}(?:\x07|\x1b\\)"  # titles, links and the like
    r"|\x1b[ -/]{0,8}(?P<escape>[0-~])"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
_UNFINISHED = re.compile(
    rf"\x1b(?:\[[0-?]{{0,60}}[ -/]{{0,8}}|[\]PX^_][^\x07\x1b]{{0,{MAX_SEQUENCE}}}\x1b?|[ -/]{{0,8}})?\Z"
)


class _Added(list[str]):
    """A line that was not there when the cursor moved up to it: no line of the text unless it is written to."""


class Terminal:
    """Folds what is fed into lines: a progress bar keeps its last state, colours go, `\\r`, `\\b` and moves act.

    A line is final at its newline, and no longer kept. Where the cursor has lately moved up, as with nested
    progress bars, the lines within its reach are kept until the program has gone on without moving up. Memory
    is bounded and the time linear, whatever is fed. Blanks at the end of a line are not kept.

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
        self._reaches: list[int] = []  # how far up from the last row the cursor moved, in the last feeds where it did
        self._reach = 0  # the same in this feed
        self._landed: int | None = None  # the row to which it last moved up in this feed
        self._newlines = 0  # in this feed
        self._gone_on = 0  # newlines in feeds since the cursor last moved up
        self._drawing = 0  # feeds in which lines may turn out to be progress bars

    def feed(self, text: str) -> str:
        """Take what was written; returns the text that is now final: whole lines, save in a very long one."""
        text = self._partial + text
        self._partial = ""
        if "\x1b" in text[-MAX_SEQUENCE - 100 :]:
            unfinished = _UNFINISHED.search(text, max(0, len(text) - MAX_SEQUENCE - 100))
            if unfinished:
                self._partial, text = unfinished[0], text[: unfinished.start()]
        is_one_line = len(self._rows) == 1 and self._column == len(self._rows[0])
        if is_one_line and not (self._reaches or self._drawing or _CONTROL.search(text)):
            self._add_plain(text)
        else:
            self._act(text)
        self._settle()
        return self._taken()

    def close(self) -> str:
        """The rest: unfinished lines and those that could have been rewritten. The terminal is as new then."""
        while len(self._rows) > self._row + 1 and not self._rows[-1]:
            self._rows.pop()
        self._let_go(len(self._rows) - 1)
        self._out.append(_line(self._rows[0]))
        self._reset()
        self._partial = ""
        return self._taken()

    def _taken(self) -> str:
        taken = "".join(self._out)
        self._out.clear()
        return taken

    # lines that are final

    def _let_go(self, count: int) -> None:
        """The first rows, so many of them, are final."""
        for row in self._rows[:count]:
            if row or not isinstance(row, _Added):
                self._out.append(_line(row) + "\n")
        del self._rows[:count]
        self._row = max(0, self._row - count)

    def _settle(self) -> None:
        """Let go what this feed has made final."""
        bottom = len(self._rows) - 1
        if self._landed is not None:
            # what was written from there on may be more bars than before, or a message above them
            self._reaches = [*self._reaches[1 - FEEDS :], max(self._reach, bottom - self._landed)]
            self._gone_on = 0
        elif self._drawing:
            self._drawing -= self._newlines > 0
            self._reaches = [self._gone_on + self._newlines] if self._drawing else []
            self._gone_on += self._newlines
        else:
            # bars of N lines are drawn again with N - 1 newlines: more of them, and the program went on
            self._gone_on += self._newlines
            if self._gone_on > max(self._reaches, default=0):
                self._reaches = []
        self._landed = None
        self._reach = self._newlines = 0
        self._let_go(max(0, min(self._row, bottom - max(self._reaches, default=0))))

    def _add_plain(self, text: str) -> None:
        """The usual case, made quick: plain lines after what stands in the only row."""
        lines, newline, text = text.rpartition("\n")
        if newline:
            first, *others = lines.split("\n")
            self._out.append(_line([*self._rows[0], first]) + "\n")
            self._out += [line.rstrip(" ") + "\n" for line in others]
            self._reset()
        self._write(text)

    # what the program wrote, piece by piece

    def _act(self, text: str) -> None:
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
                self._fresh() if token["escape"] == "c" else self._up(1)

    def _write(self, text: str) -> None:
        row, column = self._rows[self._row], self._column
        if column > len(row):
            row.extend(" " * (column - len(row)))
        end = column + len(text)
        if end <= MAX_LINE:
            row[column:end] = text
            self._column = end
            return
        # too long to be kept until its end: nobody rewrites its beginning
        self._let_go(self._row)
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
                self._let_go(1)

    def _up(self, count: int) -> None:
        self._row -= count
        if self._row < 0:  # to lines that are final already: what is written there are new ones
            added = min(-self._row, MAX_ROWS - len(self._rows))
            self._rows[:0] = [_Added() for _ in range(added)]
            self._row = 0
        self._reach = max(self._reach, len(self._rows) - 1 - self._row)
        self._landed = self._row
        self._drawing = 0

    def _command(self, command: str, numbers: str) -> None:
        """A control sequence; those that are not known here have no effect on the text, such as colours."""
        if command == "m":
            return
        first = numbers.partition(";")[0]
        number = int(first) if first.isascii() and first.isdigit() else 0
        count = max(1, number)
        if command in "AF":
            self._up(count)
        elif command in "BE":
            self._row = min(self._row + count, len(self._rows) - 1)
        elif command == "C":
            self._go(self._column + count)
        elif command == "D":
            self._go(max(0, self._column - count))
        elif command == "G":
            self._go(count - 1)
        elif command == "K":
            self._erase(number)
        elif command == "J" and number == 0:
            self._erase(0)
            del self._rows[self._row + 1 :]
        elif command in "HfJ":
            self._fresh()
        elif command == "l" and numbers == "?25":
            self._newlines = self._gone_on = 0
            self._drawing = 2  # the cursor is hidden, as before several bars are drawn for the first time
        if command in "EF":
            self._column = 0

    def _go(self, column: int) -> None:
        self._column = min(column, max(WIDTH, len(self._rows[self._row])))

    def _erase(self, what: int) -> None:
        """Erase in the line: 0 what is right of the cursor, 1 what is left of it, 2 all."""
        row = self._rows[self._row]
        if what == 0:
            del row[self._column :]
        elif what == 1:
            end = min(self._column + 1, len(row))
            row[:end] = " " * end
        elif what == 2:
            row.clear()

    def _fresh(self) -> None:
        """The screen is drawn anew: what stood on it is final, and the text goes on below."""
        self._row = len(self._rows) - 1
        self._reach, self._landed, self._reaches = 0, None, []
        if self._rows[-1]:
            self._newline()
        self._column = 0


def _line(row: list[str]) -> str:
    return "".join(row).rstrip(" ")
