"""`losswise sync` and `losswise status`: journals that outlived their process, or never had a server."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from losswise.delivery import Delivery, Step
from losswise.folders import journal_folder
from losswise.journal import SUFFIX, Paths, Reader
from losswise.messages import say
from losswise.settings import Target, resolve
from losswise.wire import Wire

ATTEMPTS = 4
"""Attempts in a row without an answer after which `sync` gives up on the server."""


@dataclass(frozen=True)
class Sent:
    """What became of one journal.

    Attributes:
        records: how many the server has now.
        is_done: nothing of it is left to send.
        is_lost: the server did not answer, so the other journals need not be tried.
    """

    records: int
    is_done: bool
    is_lost: bool = False


def sync(folder: str | os.PathLike[str] | None = None) -> int:
    """Send every journal in the folder to the address in force.

    Can be run again at any time: what the server has it does not take twice.

    Returns:
        The exit status: 0 where nothing is left unsent.
    """
    place = Path(folder) if folder is not None else journal_folder()
    if folder is not None and not place.is_dir():
        say(f"there is no folder {place}")
        return 1
    journals = find(place)
    if not journals:
        say(f"nothing is left to send in {place}")
        return 0
    target = resolve()
    if target.api_key is None:
        say(f"no API key for {target.base_url}: `losswise login {target.base_url}`, or set LW_API_KEY")
        return 1
    left = 0
    for place_in_list, journal in enumerate(journals):
        sent = send(journal, target)
        left += not sent.is_done
        if sent.is_lost:
            left += len(journals) - place_in_list - 1
            break
    say(f"{len(journals) - left} of {len(journals)} journals are sent" + (f", {left} are left" if left else ""))
    return 1 if left else 0


def find(folder: Path) -> list[Path]:
    """The journals in a folder, oldest first."""
    with contextlib.suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    return []


def send(path: Path, target: Target) -> Sent:
    """Send one journal, unless another process is sending it."""
    paths = Paths(path)
    try:
        if not paths.sending.acquire():
            say(f"{path.name}: its own script sends it")
            return Sent(0, is_done=False)
        reader = Reader(path)
    except FileNotFoundError:
        paths.sending.release(remove=True)
        return Sent(0, is_done=True)  # sent by somebody else in this moment
    except (OSError, ValueError) as error:
        paths.sending.release(remove=True)
        say(f"{path.name} cannot be read: {error}")
        return Sent(0, is_done=False)
    lives = paths.alive.is_held()
    wire = Wire(target.base_url, target.api_key or "")
    delivery = Delivery(reader, wire, replay=True)
    try:
        finished = _deliver(delivery)
        torn = reader.torn()
    finally:
        reader.close()
        wire.close()
        is_over = not lives and not paths.alive.is_held()
    if (finished and is_over) or delivery.deleted:
        if torn:
            say(f"{path.name}: its last line is torn ({torn} bytes, written as the process died) and dropped")
        for leftover in (path, paths.alive.path):
            with contextlib.suppress(OSError):
                leftover.unlink()
    paths.sending.release(remove=True)
    going_on = "" if is_over else "; its script goes on, so run this again later"
    say(f"{path.name}: {delivery.acknowledged} records are with {target.base_url}{going_on}")
    return Sent(delivery.acknowledged, is_done=finished or delivery.deleted, is_lost=not finished)


def _deliver(delivery: Delivery) -> bool:
    """Send until nothing is left (True), or the server gives no answer for some attempts (False)."""
    while True:
        outcome = delivery.step()
        if outcome.step is Step.IDLE:
            return True
        if outcome.step is Step.STOPPED:
            return False
        if outcome.step is Step.RETRY:
            if outcome.refused or delivery.failures >= ATTEMPTS:
                return False
            time.sleep(min(outcome.pause, 10.0))


@dataclass(frozen=True)
class Unsent:
    """A journal as `losswise status` lists it."""

    session: str
    base_url: str
    created_at: float
    size: int
    state: str


def unsent(folder: Path) -> Iterator[Unsent]:
    """What stands in a folder, oldest first. What cannot be read is told of and passed over."""
    for path in find(folder):
        try:
            reader = Reader(path)
            reader.close()
            size = path.stat().st_size
        except (OSError, ValueError) as error:
            say(f"{path.name} cannot be read: {error}")
            continue
        paths = Paths(path)
        state = "being sent" if paths.sending.is_held() else "going on" if paths.alive.is_held() else "left over"
        header = reader.header
        yield Unsent(header.session, header.base_url, header.created_at, size, state)


def status(folder: str | os.PathLike[str] | None = None) -> int:
    """Print the sessions that are not sent yet.

    Returns:
        The exit status, 0.
    """
    place = Path(folder) if folder is not None else journal_folder()
    rows = list(unsent(place))
    if not rows:
        print(f"nothing is left to send in {place}")
        return 0
    print(f"{'session':<22}{'since':<18}{'bytes':>12}  {'state':<12}address")
    for row in rows:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_at))
        print(f"{row.session:<22}{since:<18}{row.size:>12}  {row.state:<12}{row.base_url}")
    print(f"`losswise sync{'' if folder is None else f' {place}'}` sends what is left over")
    return 0
