"""How long delivery waits, and for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """All in seconds.

    Attributes:
        response_timeout: for a whole response.
        silence: without a response, after which the user is told.
        slow: without a response, after which a script that gives up at its end names that as the cause.
        first_retry, max_retry: pauses between attempts while the server rejects requests or cannot be reached.
        fix_retry: pause between attempts while the user has to fix something, such as the API key.
        waiting_retry: longest pause between attempts while a caller waits for the delivery.
        heartbeat: after the last request, when a heartbeat is sent.
        min_interval, max_interval: between the starts of two requests of a session (see `pacing`).
        sync_patience: without an acknowledgement, after which `losswise sync` gives up.
        backfill_pause: between two requests that send journals of earlier runs.
    """

    response_timeout: float = 30.0
    silence: float = 10.0
    slow: float = 1.0
    first_retry: float = 0.25
    max_retry: float = 30.0
    fix_retry: float = 60.0
    waiting_retry: float = 0.5
    heartbeat: float = 10.0
    min_interval: float = 0.1
    max_interval: float = 1.0
    sync_patience: float = 45.0
    backfill_pause: float = 0.5


DEFAULT_TIMING = Timing()
