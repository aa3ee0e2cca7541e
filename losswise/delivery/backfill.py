"""What earlier runs on this machine could not send, sent by a later one, politely and in the background."""

from __future__ import annotations

import atexit
import contextlib
import socket
import threading
from pathlib import Path

from losswise.delivery.client import Wire
from losswise.delivery.replay import last_word
from losswise.delivery.uploader import Delivery, Step
from losswise.journal import liveness
from losswise.journal import paths as journal_paths
from losswise.journal.reader import Reader
from losswise.settings import Target
from losswise.util.credentials import load_login
from losswise.util.guard import guarded, guarded_thread
from losswise.util.paths import journal_folders

PAUSE = 0.5
"""Seconds between two requests: the session that runs goes first."""
BATCH_BYTES = 512 * 1024
LAST = 2.0
"""Seconds that the request which is on its way gets when the process ends."""

_started = threading.Event()
_ending = threading.Event()
_threads: list[threading.Thread] = []


@guarded("sending what earlier sessions left")
def send_soon(folder: Path, target: Target) -> None:
    """Send, once in this process, the journals in the folder whose writers are dead. Waits for nothing.

    Args:
        folder: of journals; those that sessions of this user go to are looked through, too.
        target: an address that answers, and its key; journals of other addresses go there only with a
            stored login of that address.
    """
    if _started.is_set():
        return
    _started.set()
    thread = guarded_thread(_Round(target).send_all, "losswise-leftovers", folder)
    with contextlib.suppress(RuntimeError):  # the process is at its end
        thread.start()
        _threads.append(thread)


@atexit.register
@guarded("ending what sends earlier sessions")
def _finish() -> None:
    """Let the request on its way come to its end, so that what is sent is taken away, and begin no other."""
    _ending.set()
    with contextlib.suppress(KeyboardInterrupt):
        for thread in _threads:
            thread.join(LAST)


class _Round:
    """One walk through the folders.

    Args:
        target: the address that answers, and its key.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._unreachable: set[str] = set()
        self._has_sent = False

    def send_all(self, folder: Path) -> None:
        for place in dict.fromkeys([folder, *journal_folders()]):
            for path in journal_paths.find(place):
                if self._is_over():
                    return
                self._send(path)

    def _is_over(self) -> bool:
        """The process ends. Even a short one sends something."""
        return self._has_sent and _ending.is_set()

    def _send(self, path: Path) -> None:
        """Send one journal, if it is ours to send; what stands in the way is left for `losswise sync`."""
        paths = journal_paths.Paths(path)
        try:
            reader = Reader(path)
        except (OSError, ValueError):
            return
        header = reader.header
        key = self._key_for(header.base_url)
        try:
            if header.host != socket.gethostname() or key is None or header.base_url in self._unreachable:
                return
            if not paths.sending.acquire():
                return
            try:
                if not liveness.lives(paths, header):
                    self._deliver(reader, Wire(header.base_url, key))
            finally:
                paths.sending.release(remove=True)
        finally:
            reader.close()

    def _key_for(self, base_url: str) -> str | None:
        """The key that is held for this very address."""
        if base_url == self._target.base_url:
            return self._target.api_key
        login = load_login()
        return login.api_key if login is not None and login.base_url == base_url else None

    def _deliver(self, reader: Reader, wire: Wire) -> None:
        """Send all of it and take it away, unless the server takes it no more or the process ends."""
        delivery = Delivery(reader, wire, replay=True, quietly=True, batch_bytes=BATCH_BYTES)
        is_said = False
        try:
            while not delivery.deleted:
                is_idle = delivery.is_idle()
                if not is_said and reader.is_at_end():  # before the last batch goes, so that it goes with that
                    is_said = True
                    delivery.add(last_word(reader))
                    continue
                if is_idle:
                    break
                if not self._is_its_turn():
                    return
                if delivery.step().step is Step.RETRY:
                    if delivery.is_server_lost:
                        self._unreachable.add(wire.base_url)
                    return
        finally:
            wire.close()
        if delivery.deleted or reader.is_at_end():
            reader.close()
            reader.paths.remove()

    def _is_its_turn(self) -> bool:
        """Wait between two requests. False: the process ends."""
        if self._has_sent:
            _ending.wait(PAUSE)
        if self._is_over():
            return False
        self._has_sent = True
        return True
