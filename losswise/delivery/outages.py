"""Tell the user that a server does not take records, and when it does again."""

from __future__ import annotations

import time
from collections.abc import Callable

from losswise.delivery.client import Client, Response
from losswise.delivery.pacing import Timing

UNREADABLE = Response(0, {})  # in place of a response: no request was made, since the journal cannot be read


class OutageReporter:
    """Counts failed requests, and prints one line when an outage begins and one when it is over.

    One failed request is no outage: a line comes with the second, or after `Timing.silence` seconds without a
    response. In a replay it comes only after that time, since `losswise sync` gives up with a sentence of its own.
    """

    def __init__(self, client: Client, notify: Callable[[str], None], is_replay: bool, timing: Timing) -> None:
        self.failures = 0  # since the last success
        self.problem = ""  # why the last request failed, as a sentence; empty if the user has been told
        self.last_success_at = time.monotonic()  # at first when this was made
        self._client, self._notify, self._is_replay, self._timing = client, notify, is_replay, timing
        self._is_reported = self._is_silent = False
        self._failure = UNREADABLE  # the response to the last failed request

    def failed(self, response: Response, problem: str) -> None:
        """Count a failed request; `problem`, if any, replaces what the response says."""
        self.failures += 1
        self._failure = response
        self._is_silent &= response.status == 0 and not response.refused
        self.problem = problem or f"{self._client.base_url} {response.trouble}"
        if self.failures >= 2 and not self._is_replay:
            self._report(self.problem)

    def needs_user(self, response: Response) -> None:
        """Count a failed request after which the user has been told what to do."""
        self.failures += 1
        self._failure = response
        self.problem = ""
        self._is_reported = True

    def succeeded(self) -> None:
        self.last_success_at = time.monotonic()
        if self._is_reported:
            self._notify(f"{self._client.base_url} answers again; sending what was kept")
        self._is_reported = self._is_silent = False
        self.failures = 0

    def last_problem(self) -> str:
        """Why the last request failed, as a sentence, also if the user has been told."""
        return self.problem or f"{self._client.base_url} {self._failure.trouble}"

    def is_server_lost(self) -> bool:
        """Return whether the last request failed for a reason that affects other journals too.

        It asks the server if that is not certain: an error may be about this session only.
        """
        response = self._failure
        is_about_session = response.status == 403 or (response.status in (200, 404) and response.body)
        if response is UNREADABLE or is_about_session:
            return False
        if response.status in (0, 401, 429, 503) or response.code == "unsupported_format":
            return True
        healthy = self._client.get("/api/v2/me")
        return healthy.status != 200 or not healthy.body

    def check_silence(self) -> None:
        """Notice that the server does not respond. Called by another thread each second, while one waits for it."""
        if self._is_waiting(self._timing.silence):
            self._is_silent = True
            self._report(f"{self._client.base_url} does not answer yet")
        elif self._is_replay and self.failures and time.monotonic() - self.last_success_at > self._timing.silence:
            self._report(self.problem)

    def cause(self) -> str:
        """Why nothing is acknowledged, for other threads; empty if that is unknown or the user has been told."""
        if self._is_silent or self._is_waiting(self._timing.slow):
            return f"{self._client.base_url} does not answer"
        return self.problem if self.failures and not self._is_reported else ""

    def _is_waiting(self, seconds: float) -> bool:
        """Return whether the current request has had no response for so long."""
        asked_at = self._client.asked_at
        return asked_at > 0 and time.monotonic() - asked_at > seconds

    def _report(self, problem: str) -> None:
        if not self._is_reported:
            self._is_reported = True
            promise = "still trying, for up to a minute" if self._is_replay else "everything is kept and sent later"
            self._notify(f"{problem}; {promise}")
