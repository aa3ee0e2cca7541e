"""`losswise status`, and what it shares with `losswise sync`: the journals that stand on this disk."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from losswise.delivery.quarantine import set_aside
from losswise.journal.format import Header
from losswise.journal.liveness import lives
from losswise.journal.paths import Paths, find
from losswise.journal.reader import Incomplete, Reader
from losswise.settings import Target, resolve
from losswise.util.messages import say
from losswise.util.paths import journal_folder, journal_folders
from losswise.util.units import size_text

TAIL = 4_096
"""Bytes at a journal's end that are looked at."""


class State(Enum):
    LEFT = "left over"
    RECORDED = "still recording"
    BY_SCRIPT = "its script sends it"
    BY_OTHERS = "being sent"

    @property
    def is_being_sent(self) -> bool:
        return self in (State.BY_SCRIPT, State.BY_OTHERS)


@dataclass(frozen=True)
class Unsent:
    """A journal on this disk.

    Attributes:
        size: bytes; of a writer that lives or was killed, with what may be sent already.
        is_ended: its writer came to its end, so that what stands there was not sent.
    """

    paths: Paths
    header: Header
    size: int
    state: State
    is_ended: bool


@dataclass(frozen=True)
class Unreadable:
    """A file that is called a journal, and why it cannot be read."""

    path: Path
    problem: str


@dataclass(frozen=True)
class Begun:
    """A journal in which nothing stands yet, and nothing comes where its writer is dead."""

    paths: Paths


def look(folder: Path) -> Iterator[Unsent | Begun | Unreadable]:
    """The journals in a folder, oldest first."""
    for path in find(folder):
        paths = Paths(path)
        try:
            reader = Reader(path)
            reader.close()
            yield Unsent(paths, reader.header, paths.size(), _state(paths, reader.header), _is_ended(paths))
        except (FileNotFoundError, IndexError):  # just sent
            continue
        except Incomplete as error:
            yield Begun(paths) if len(paths.segments()) == 1 else Unreadable(path, str(error))
        except (OSError, ValueError) as error:
            yield Unreadable(path, str(error))


def _is_ended(paths: Paths) -> bool:
    """Whether the last record is the one that says how the session ended."""
    with open(paths.segments()[-1], "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        return b'\n{"type":"status"' in b"\n" + file.read().rstrip(b"\n").rpartition(b"\n")[2]


def _state(paths: Paths, header: Header) -> State:
    is_alive = lives(paths, header)
    if paths.sending.is_held():
        return State.BY_SCRIPT if is_alive else State.BY_OTHERS
    return State.RECORDED if is_alive else State.LEFT


def folders_of(folder: str | os.PathLike[str] | None) -> list[Path]:
    """The folder that a command was given, or where journals of this user lie. None: there is no such folder."""
    if folder is None:
        return journal_folders()
    if Path(folder).is_dir():
        return [Path(folder)]
    say(f"there is no folder {folder}")
    return []


def status(folder: str | os.PathLike[str] | None = None) -> int:
    """Print the sessions that are not sent yet, by the folders where they lie.

    Args:
        folder: of journals; else those that sessions of this user go to.

    Returns:
        The exit status: 0, and 1 where there is no such folder.
    """
    folders = folders_of(folder)
    rows: list[Unsent] = []
    for place in folders:
        rows += _print_folder(place, folder is None and place != journal_folder())
    states = {row.state for row in rows}
    if folders and not states:
        print(f"nothing is left to send in {folders[0]}")
    if states & {State.LEFT, State.RECORDED}:
        words = "" if folder is None else f" {shlex.quote(str(folder))}"
        print(_how_to_send(states, words, resolve()))
        if any(row.state is State.LEFT and not row.is_ended for row in rows):
            print(f"a killed script's journal may have been delivered already; `losswise sync{words}` makes sure")
    if states & {State.RECORDED, State.BY_SCRIPT}:
        print("the journal of a running script stays on disk until the script ends, what is sent included")
    if files := [file for place in folders for file in set_aside(place)]:
        print("set aside, since a server refused it or it is damaged; `losswise sync` does not send it:")
        for file in files:
            print(f"  {file}")
    return 0 if folders else 1


def _print_folder(folder: Path, is_temporary: bool) -> list[Unsent]:
    rows: list[Unsent] = []
    for row in look(folder):
        if isinstance(row, Unreadable):
            say(f"{row.path} cannot be read: {row.problem}")
        if not isinstance(row, Unsent):
            continue
        if not rows:
            print(f"in {folder}{', among the temporary files' if is_temporary else ''}:")
            print(f"  {'session':<22}{'since':<18}{'on disk':>10}  {'state':<21}recorded for")
        rows.append(row)
        header, since = row.header, time.strftime("%Y-%m-%d %H:%M", time.localtime(row.header.created_at))
        size, state = size_text(row.size), row.state.value
        print(f"  {header.session:<22}{since:<18}{size:>10}  {state:<21}{header.base_url}")
    return rows


def _how_to_send(states: set[State], words: str, target: Target) -> str:
    address = target.base_url
    what = [
        *(["what is left over"] if State.LEFT in states else []),
        *(["what is recorded so far"] if State.RECORDED in states else []),
    ]
    sends = f"`losswise sync{words}` sends {' and '.join(what)} to {address}"
    if target.api_key is None:
        return f"no API key for {address}: `losswise login {address}`, or set LW_API_KEY; then {sends}"
    return sends
