"""Sessions that a spawned worker of multiprocessing would make while it imports the script record nothing."""

from __future__ import annotations

import sys
import traceback

from losswise.recording.record_queue import RecordQueue
from losswise.util.messages import notify_once


def is_reimport() -> bool:
    """Return whether a spawned worker of multiprocessing is importing the script that its parent runs.

    The worker runs the script's top level again, under the name `__mp_main__`, to find the function it is to call.
    """
    if "multiprocessing.spawn" not in sys.modules:
        return False
    return any(
        frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__mp_main__"
        for frame, _line in traceback.walk_stack(sys._getframe())
    )


def queue_of_reimport() -> RecordQueue:
    """Return the queue of a session that such a worker makes: it drops everything, and says so after the import."""
    queue = RecordQueue()

    def start_or_wake() -> None:
        if is_reimport():
            return queue.reset()
        queue.close()
        notify_once(
            "reimported",
            "a worker process that imports the script records nothing into the sessions made there; give it "
            "session.id, and have it make losswise.Session(resume=id)",
        )

    queue.start_or_wake = start_or_wake
    return queue
