"""`losswise status`: list the journals on this disk. `losswise sync` finds them the same way."""

from __future__ import annotations

import os
import shlex
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from losswise.delivery.quarantine_file import Refusal, find_boxes
from losswise.journal.format import Header
from losswise.journal.paths import Paths, find, is_alive
from losswise.journal.reader import Incomplete, open_first
from losswise.settings import resolve
from losswise.util.credentials import Target
from losswise.util.messages import notify
from losswise.util.paths import journal_folder, journal_folders
from losswise.util.units import size_text

TAIL_BYTES = 4_096  # of a journal's end, read to find its last record
MAX_REASONS = 3  # of what is in quarantine, named for each session


class State(Enum):
    LEFT = "left over"
    RECORDED = "still recording"
    BY_SCRIPT = "its script sends it"
    BY_OTHERS = "being sent"


@dataclass(frozen=True)
class UnsentJournal:
    """A journal on this disk."""

    paths: Paths
    header: Header
    size: int  # in bytes; if the writer is running or was killed, a part may be delivered already
    state: State
    is_ended: bool  # the writer ended properly, so nothing of it is delivered yet


@dataclass
class Found:
    """The contents of folders of journals."""

    journals: list[UnsentJournal] = field(default_factory=list)  # oldest first
    empty: list[Paths] = field(default_factory=list)  # no complete header; if the writer is dead, it stays that way
    unreadable: int = 0  # number of files with the name of a journal that cannot be read


def find_journals(folders: list[Path]) -> Found:
    """Find the journals in folders, with a message about each that cannot be read."""
    found = Found()
    for path in (path for folder in folders for path in find(folder)):
        paths = Paths(path)
        try:
            reader, _damaged = open_first(paths)
            reader.close()
            is_running, is_sending = is_alive(paths, reader.header), paths.sending.is_held()
            if is_running:
                state = State.BY_SCRIPT if is_sending else State.RECORDED
            else:
                state = State.BY_OTHERS if is_sending else State.LEFT
            found.journals.append(UnsentJournal(paths, reader.header, paths.size(), state, _is_ended(paths)))
        except (FileNotFoundError, IndexError):  # just sent and deleted
            continue
        except (OSError, ValueError) as error:
            if isinstance(error, Incomplete) and len(paths.segments()) == 1:
                found.empty.append(paths)
            else:
                found.unreadable += 1
                notify(f"{path} cannot be read: {error}")
    found.journals.sort(key=lambda journal: journal.header.created_at)
    return found


def _is_ended(paths: Paths) -> bool:
    """Return whether the last record is the end of the session."""
    with open(paths.segments()[-1], "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        return b'\n{"type":"status"' in b"\n" + file.read().rstrip(b"\n").rpartition(b"\n")[2]


def folders_of(folder: str | os.PathLike[str] | None) -> list[Path]:
    """Return the given folder, or this user's usual ones; empty, after a message, if there is no such folder."""
    if folder is None:
        return journal_folders()
    if Path(folder).is_dir():
        return [Path(folder)]
    notify(f"there is no folder {folder}")
    return []


def status(folder: str | os.PathLike[str] | None = None) -> int:
    """Print the sessions that are not sent yet, by folder, and what is in quarantine.

    Args:
        folder: of journals, by default this user's usual folders.

    Returns:
        The exit status: 0, or 1 if there is no such folder.
    """
    folders = folders_of(folder)
    rows: list[UnsentJournal] = []
    for each in folders:
        if found := find_journals([each]).journals:
            print(f"in {each}{', among the temporary files' if folder is None and each != journal_folder() else ''}:")
            print(f"  {'session':<22}{'since':<18}{'on disk':>10}  {'state':<21}recorded for")
            rows += found
        for row in found:
            header, since = row.header, time.strftime("%Y-%m-%d %H:%M", time.localtime(row.header.created_at))
            columns = f"{header.session:<22}{since:<18}{size_text(row.size):>10}  {row.state.value:<21}"
            print(f"  {columns}{header.base_url}")
    states = {row.state for row in rows}
    if folders and not states:
        print(f"nothing is left to send in {folders[0]}")
    if states & {State.LEFT, State.RECORDED}:
        words = "" if folder is None else f" {shlex.quote(str(folder))}"
        what = {State.LEFT: "what is left over", State.RECORDED: "what is recorded so far"}
        named = " and ".join(text for state, text in what.items() if state in states)
        target = resolve()
        hint = f"{no_key(target)}; then " if target.api_key is None else ""
        print(f"{hint}`losswise sync{words}` sends {named} to {target.base_url}")
        if any(row.state is State.LEFT and not row.is_ended for row in rows):
            print(f"a killed script's journal may have been delivered already; `losswise sync{words}` makes sure")
    if states & {State.RECORDED, State.BY_SCRIPT}:
        print("the journal of a running script stays on disk until the script ends, what is sent included")
    if kept := [line for each in folders for line in _in_quarantine(each)]:
        print("in quarantine, because a server rejected it or it is damaged; `losswise quarantine` lists it all:")
        print(*(f"  {line}" for line in kept), sep="\n")
    return 0 if folders else 1


def _in_quarantine(folder: Path) -> list[str]:
    """As in "session 0123...: 12 records (too long, no such graph)", for each session with something in quarantine."""
    sessions: dict[str, list[Refusal]] = {}
    for box in find_boxes(folder):
        if kept := box.kept():
            sessions.setdefault(box.content.header.session or box.paths.stem, []).extend(kept)
    lines = []
    for session, kept in sessions.items():
        images = sum(refusal.image is not None for refusal in kept)
        segments = sum(len(refusal.segments) for refusal in kept)
        counts = {"record": len(kept) - images - segments, "image": images, "damaged file": segments}
        named = [f"{count:,} {what}{'' if count == 1 else 's'}" for what, count in counts.items() if count]
        reasons = [reason for reason, _count in Counter(refusal.reason for refusal in kept).most_common()]
        more = [f"{len(reasons) - MAX_REASONS} more reasons"] if len(reasons) > MAX_REASONS else []
        lines.append(f"session {session}: {', '.join(named)} ({'; '.join(reasons[:MAX_REASONS] + more)})")
    return lines


def no_key(target: Target) -> str:
    """Return how to get a key for a server."""
    return f"no API key for {target.base_url}: `losswise login {target.base_url}`, or set LW_API_KEY"
