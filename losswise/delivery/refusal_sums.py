"""Sums of what was set aside, by kind and reason, as the server is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from losswise.delivery.quarantine_file import Refusal
from losswise.protocol.limits import MAX_REFUSALS

OTHERS = ("other data", "various reasons")  # what is beyond MAX_REFUSALS kinds and reasons


@dataclass
class _Sum:
    total: int
    sent: int
    t: float
    is_told: bool


class RefusalSums:
    """How much a writer has set aside so far. The server takes the greater numbers, so it may be told them twice."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], _Sum] = {}

    def add(self, refusal: Refusal) -> None:
        key = (refusal.what, refusal.reason)
        if key not in self._sums and len(self._sums) >= MAX_REFUSALS:
            key = OTHERS
        known = self._sums.setdefault(key, _Sum(0, 0, refusal.t, is_told=False))
        known.total += refusal.total
        known.sent += refusal.sent
        known.is_told = False

    def untold(self) -> list[dict[str, Any]]:
        """The sums that have changed since the server was told, as the field `refused` of a batch has them."""
        return [
            {"what": what, "reason": reason, "total": known.total, "sent": known.sent, "t": known.t}
            for (what, reason), known in self._sums.items()
            if not known.is_told
        ]

    def mark_told(self, told: list[dict[str, Any]]) -> None:
        for each in told:
            self._sums[each["what"], each["reason"]].is_told = True
