"""Which fault meets which request: drawn from a seed, so that a scenario can be repeated by its number."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

PASS = "pass"
KINDS = {
    "refuse": 4,  # no server listens for a while
    "reset": 3,  # accepted, then reset without an answer
    "delay": 3,  # the request arrives late, the answer in small pieces
    "cut request": 4,  # the server gets a part of the request only
    "cut answer": 4,  # the client gets a part of the answer only
    "drop answer": 6,  # the server has taken it, and the client never learns
    "hang": 3,  # accepted, never forwarded, never answered
    "hang answer": 3,  # forwarded, never answered
    "foreign answer": 6,  # something that is no answer of our server, or half of one
    "repeat": 4,  # a middle box sends the request twice
    "stale": 4,  # the client hears of a failure, and the request arrives after its resend
}
"""Kinds of faults and how often one is chosen."""
FOREVER = 60.0
"""Seconds of a fault that outlasts its script, where the network never is well again."""


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    Attributes:
        kind: one of KINDS, or "pass".
        seconds: how long it takes, where it takes time.
        part: where to cut, as a part of the whole.
        choice: a number for what else there is to choose.
    """

    kind: str
    seconds: float = 0.0
    part: float = 0.0
    choice: int = 0


class Schedule:
    """Draws a fault for each request: at a rate, of some kinds, until `most` were drawn.

    Attributes:
        kinds: the kinds that this schedule draws.
        most: number of faults after which the network is well again. None: it never is.
        first: `choice` of the first fault; that of each further one is one more. None: drawn.
    """

    def __init__(
        self,
        seed: str,
        kinds: tuple[str, ...] = (),
        rate: float = 0.0,
        most: int | None = 0,
        first: int | None = None,
    ) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.first = first if first is not None else self._random.randrange(1_000)
        self.kinds = kinds
        self.rate = rate
        self.most = most
        self.drawn = 0

    @classmethod
    def of(cls, number: int) -> Schedule:
        """The schedule of a scenario: one kind in turn and up to three more, often or seldom, seldom without end."""
        chooser = random.Random(f"schedule {number}")
        names, weights = list(KINDS), list(KINDS.values())
        others = chooser.choices(names, weights, k=chooser.randint(0, 3))
        kinds = tuple(dict.fromkeys([names[number % len(names)], *others]))
        most = None if chooser.random() < 0.08 else chooser.randint(2, 9)
        rate = 1.0 if most is None else chooser.choice((0.3, 0.5, 0.8, 1.0))
        return cls(f"faults {number}", kinds, rate, most)

    def next(self) -> Fault:
        with self._lock:
            dice = self._random
            if (self.most is not None and self.drawn >= self.most) or dice.random() >= self.rate:
                return Fault(PASS)
            self.drawn += 1
            kind = dice.choice(self.kinds)
            seconds = FOREVER if self.most is None and dice.random() < 0.2 else dice.uniform(0.05, 2.0)
            return Fault(kind, seconds, dice.random(), self.first + self.drawn - 1)

    def __repr__(self) -> str:
        most = "without end" if self.most is None else f"{self.most} faults"
        return f"{most} at a rate of {self.rate}, of: {', '.join(self.kinds)}"
