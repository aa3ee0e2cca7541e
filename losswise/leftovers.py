"""What earlier runs on this machine could not send, sent by a later one, politely and in the background."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

from losswise import journal
from losswise.delivery import Delivery, Step
from losswise.guard import guarded, guarded_thread
from losswise.login import load_login
from losswise.reader import Reader
from losswise.settings import Target
from losswise.wire import Wire

PAUSE = 0.5
"""Seconds between two requests: the session that runs goes first."""
BATCH_BYTES = 512 * 1024

_started = threading.Event()


@guarded("sending what earlier sessions left")
def send_soon(folder: Path, target: Target) -> None:
    """Send, once in this process, the journals in the folder whose writers are dead. Waits for nothing.

    Args:
        folder: of journals.
        target: an address that answers, and its key; journals of other addresses go there only with a
            stored login of that address.
    """
    if not _started.is_set():
        _started.set()
        guarded_thread(_run, "losswise-leftovers", folder, target).start()


def _run(folder: Path, target: Target) -> None:
    unreachable: set[str] = set()
    for path in journal.find(folder):
        time.sleep(PAUSE)
        _send(path, target, unreachable)


def _send(path: Path, target: Target, unreachable: set[str]) -> None:
    """Send one journal, if it is ours to send; what stands in the way is left for `losswise sync`."""
    paths = journal.Paths(path)
    try:
        reader = Reader(path)
    except (OSError, ValueError):
        return
    header = reader.header
    key = _key_for(header.base_url, target)
    try:
        if header.host != socket.gethostname() or key is None or header.base_url in unreachable:
            return
        if not paths.sending.acquire():
            return
        try:
            if not journal.lives(paths, header) and not _deliver(reader, Wire(header.base_url, key)):
                unreachable.add(header.base_url)
        finally:
            paths.sending.release(remove=not path.exists())
    finally:
        reader.close()


def _key_for(base_url: str, target: Target) -> str | None:
    """The key that is held for this very address."""
    if base_url == target.base_url:
        return target.api_key
    login = load_login()
    return login.api_key if login is not None and login.base_url == base_url else None


def _deliver(reader: Reader, wire: Wire) -> bool:
    """Send all of it and take it away. False: the server did not answer."""
    delivery = Delivery(reader, wire, replay=True, quietly=True, batch_bytes=BATCH_BYTES)
    try:
        while True:
            outcome = delivery.step()
            if outcome.step is Step.RETRY:
                return False
            if outcome.step is not Step.SENT:
                break
            time.sleep(PAUSE)
    finally:
        wire.close()
    if outcome.step is Step.IDLE or delivery.deleted:
        reader.close()
        reader.paths.remove()
    return True
