"""How long delivery waits, and for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """All in seconds."""

    response_timeout: float = 30.0  # for a whole response
    silence: float = 10.0  # without a response, after which that is reported
    slow: float = 1.0  # without a response, after which a script that gives up at its end names that as the cause
    first_retry: float = 0.25  # the pauses between attempts grow from this to `max_retry`
    max_retry: float = 30.0
    fix_retry: float = 60.0  # pause while the user has to fix something, such as the API key
    waiting_retry: float = 0.5  # longest pause while a caller waits for the delivery
    heartbeat: float = 10.0  # after the last request
    min_interval: float = 0.1  # between the starts of two requests of a session (see `pacing`)
    max_interval: float = 1.0
    sync_patience: float = 45.0  # without an acknowledgement, after which `losswise sync` gives up
    backfill_pause: float = 0.5  # between two requests that send journals of earlier runs


DEFAULT_TIMING = Timing()
