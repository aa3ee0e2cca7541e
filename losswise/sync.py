"""`losswise sync` and `losswise status`: journals that outlived their process, or never had a server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from losswise.delivery import Delivery, Step
from losswise.folders import journal_folders
from losswise.journal import Paths, find, lives
from losswise.messages import say
from losswise.plain import size_text
from losswise.progress import Progress
from losswise.reader import Incomplete, Reader
from losswise.settings import Target, resolve
from losswise.wire import Wire

ATTEMPTS = 4
"""Attempts in a row without an answer after which `sync` gives up on the server."""


@dataclass(frozen=True)
class Sent:
    """What became of one journal.

    Attributes:
        is_done: nothing of it is left to send.
        is_lost: the server did not answer, so the other journals need not be tried.
    """

    is_done: bool
    is_lost: bool = False


def sync(folder: str | os.PathLike[str] | None = None) -> int:
    """Send every journal in the folder to the address in force.

    Can be run again at any time: what the server has it does not take twice.

    Args:
        folder: of journals; else those that sessions of this user go to.

    Returns:
        The exit status: 0 where nothing is left unsent.
    """
    folders = _folders(folder)
    if folder is not None and not folders[0].is_dir():
        say(f"there is no folder {folders[0]}")
        return 1
    journals = [path for place in folders for path in find(place)]
    if not journals:
        say(f"nothing is left to send in {folders[0]}")
        return 0
    target = resolve()
    if target.api_key is None:
        say(f"no API key for {target.base_url}: `losswise login {target.base_url}`, or set LW_API_KEY")
        return 1
    left = 0
    with Progress(sum(Paths(path).size() for path in journals)) as progress:
        for place_in_list, journal in enumerate(journals):
            sent = send(journal, target, progress.advance)
            left += not sent.is_done
            if sent.is_lost:
                left += len(journals) - place_in_list - 1
                break
    say(f"{len(journals) - left} of {len(journals)} journals are sent" + (f", {left} are left" if left else ""))
    return 1 if left else 0


def send(path: Path, target: Target, advance: Callable[[int], None] = lambda size: None) -> Sent:
    """Send one journal, unless another process is sending it.

    Args:
        path: of its first segment.
        target: where to.
        advance: told of the bytes that are done.
    """
    paths = Paths(path)
    try:
        if not paths.sending.acquire():
            say(f"{paths.stem}: its own script sends it")
            return Sent(is_done=False)
        reader = Reader(path)
    except FileNotFoundError:
        paths.sending.release(remove=True)
        return Sent(is_done=True)  # sent by somebody else in this moment
    except Incomplete:
        return _without_a_record(paths)
    except (OSError, ValueError) as error:
        paths.sending.release(remove=True)
        say(f"{path.name} cannot be read: {error}")
        return Sent(is_done=False)
    was_alive = lives(paths, reader.header)
    wire = Wire(target.base_url, target.api_key or "")
    delivery = Delivery(reader, wire, replay=True)
    try:
        finished = _deliver(delivery, reader, advance)
        torn = reader.torn()
    finally:
        reader.close()
        wire.close()
        is_over = not was_alive and not lives(paths, reader.header)
    if finished and is_over and torn:
        say(f"{path.name}: its last line is torn ({torn} bytes, written as the process died) and dropped")
    if (finished and is_over) or delivery.deleted:
        paths.remove()
    paths.sending.release(remove=True)
    going_on = "" if is_over else "; its script goes on, so run this again later"
    if not delivery.deleted:
        say(f"{paths.stem}: {delivery.acknowledged} records are with {target.base_url}{going_on}")
    is_done = finished or delivery.deleted
    return Sent(is_done, is_lost=not is_done and delivery.is_server_lost)


def _without_a_record(paths: Paths) -> Sent:
    """A journal that had just begun: nothing is in it, and where its writer is dead nothing comes."""
    if not paths.alive.is_held():
        paths.remove()
    paths.sending.release(remove=True)
    return Sent(is_done=True)


def _deliver(delivery: Delivery, reader: Reader, advance: Callable[[int], None]) -> bool:
    """Send until nothing is left (True), or the server gives no answer for some attempts (False)."""
    while True:
        before = reader.done + delivery.freed_images
        outcome = delivery.step()
        advance(reader.done + delivery.freed_images - before)
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
        paths = Paths(path)
        try:
            reader = Reader(path)
            reader.close()
            size = paths.size()
        except (OSError, ValueError) as error:
            say(f"{path.name} cannot be read: {error}")
            continue
        header = reader.header
        state = "being sent" if paths.sending.is_held() else "going on" if lives(paths, header) else "left over"
        yield Unsent(header.session, header.base_url, header.created_at, size, state)


def status(folder: str | os.PathLike[str] | None = None) -> int:
    """Print the sessions that are not sent yet.

    Returns:
        The exit status, 0.
    """
    folders = _folders(folder)
    rows = [row for place in folders for row in unsent(place)]
    if not rows:
        print(f"nothing is left to send in {folders[0]}")
        return 0
    print(f"{'session':<22}{'since':<18}{'size':>12}  {'state':<12}address")
    for row in rows:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_at))
        print(f"{row.session:<22}{since:<18}{size_text(row.size):>12}  {row.state:<12}{row.base_url}")
    print(f"`losswise sync{'' if folder is None else f' {folders[0]}'}` sends what is left over")
    return 0


def _folders(folder: str | os.PathLike[str] | None) -> list[Path]:
    return journal_folders() if folder is None else [Path(folder)]
