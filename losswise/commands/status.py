"""`losswise status`: list the journals on this disk. `losswise sync` finds them the same way."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from losswise.delivery.quarantine import quarantined_files
from losswise.journal.format import Header
from losswise.journal.liveness import is_alive
from losswise.journal.paths import Paths, find
from losswise.journal.reader import Incomplete, JournalReader
from losswise.settings import Target, resolve
from losswise.util.messages import say
from losswise.util.paths import journal_folder, journal_folders
from losswise.util.units import size_text

TAIL_BYTES = 4_096
"""How much of a journal's end is read to find its last record."""


class State(Enum):
    LEFT = "left over"
    RECORDED = "still recording"
    BY_SCRIPT = "its script sends it"
    BY_OTHERS = "being sent"

    @property
    def is_being_sent(self) -> bool:
        return self in (State.BY_SCRIPT, State.BY_OTHERS)


@dataclass(frozen=True)
class UnsentJournal:
    """A journal on this disk.

    Attributes:
        size: in bytes. If the writer is running or was killed, a part may be delivered already.
        is_ended: the writer ended properly, so nothing of it is delivered yet.
    """

    paths: Paths
    header: Header
    size: int
    state: State
    is_ended: bool


@dataclass(frozen=True)
class UnreadableFile:
    """A file with the name of a journal, and why it cannot be read."""

    path: Path
    problem: str


@dataclass(frozen=True)
class EmptyJournal:
    """A journal without a complete header. If its writer is dead, it stays empty."""

    paths: Paths


def find_journals(folder: Path) -> Iterator[UnsentJournal | EmptyJournal | UnreadableFile]:
    """Find the journals in a folder, oldest first."""
    for path in find(folder):
        paths = Paths(path)
        try:
            reader = JournalReader(path)
            reader.close()
            yield UnsentJournal(paths, reader.header, paths.size(), _state(paths, reader.header), _is_ended(paths))
        except (FileNotFoundError, IndexError):  # just sent and deleted
            continue
        except Incomplete as error:
            yield EmptyJournal(paths) if len(paths.segments()) == 1 else UnreadableFile(path, str(error))
        except (OSError, ValueError) as error:
            yield UnreadableFile(path, str(error))


def _is_ended(paths: Paths) -> bool:
    """Whether the last record is the end of the session."""
    with open(paths.segments()[-1], "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        return b'\n{"type":"status"' in b"\n" + file.read().rstrip(b"\n").rpartition(b"\n")[2]


def _state(paths: Paths, header: Header) -> State:
    is_running = is_alive(paths, header)
    if paths.sending.is_held():
        return State.BY_SCRIPT if is_running else State.BY_OTHERS
    return State.RECORDED if is_running else State.LEFT


def folders_of(folder: str | os.PathLike[str] | None) -> list[Path]:
    """The given folder, or this user's usual ones; empty, after a message, if there is no such folder."""
    if folder is None:
        return journal_folders()
    if Path(folder).is_dir():
        return [Path(folder)]
    say(f"there is no folder {folder}")
    return []


def status(folder: str | os.PathLike[str] | None = None) -> int:
    """Print the sessions that are not sent yet, by folder.

    Args:
        folder: of journals, by default this user's usual folders.

    Returns:
        The exit status: 0, or 1 if there is no such folder.
    """
    folders = folders_of(folder)
    rows: list[UnsentJournal] = []
    for each in folders:
        rows += _print_folder(each, folder is None and each != journal_folder())
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
    if files := [file for each in folders for file in quarantined_files(each)]:
        print("set aside because a server rejected it or it is damaged; `losswise sync` does not send it:")
        for file in files:
            print(f"  {file}")
    return 0 if folders else 1


def _print_folder(folder: Path, is_temporary: bool) -> list[UnsentJournal]:
    rows: list[UnsentJournal] = []
    for row in find_journals(folder):
        if isinstance(row, UnreadableFile):
            say(f"{row.path} cannot be read: {row.problem}")
        if not isinstance(row, UnsentJournal):
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
