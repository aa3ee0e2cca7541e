"""What a training script does, drawn from a seed, and which points that makes."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path

Key = tuple[int, str, str]
"""A series: number of the session, title of the graph, name."""
Series = dict[Key, list[tuple[int, object]]]
"""(x, value) in order of arrival."""

ENDS: dict[str, tuple[int, str, str | None]] = {
    "falls off": (0, "complete", None),
    "done": (0, "complete", None),
    "failed": (0, "failed", "diverged"),
    "exit 0": (0, "complete", None),
    "exit 3": (3, "failed", "error"),
    "exception": (1, "failed", "error"),
    "sigterm": (-15, "cancelled", "interrupted"),
    "interrupt": (-2, "cancelled", "interrupted"),
}
"""How a script can end: its exit status, the session's status and reason."""

SHAPES = {
    "plain": 5,
    "graphs": 3,
    "threads": 3,
    "two sessions": 2,
    "children": 3,
    "resumed after": 2,
    "resumed beside": 2,
    "burst": 2,
}
ALONE = ("plain", "graphs", "threads", "two sessions", "burst")
"""The shapes with one process."""

TITLES = ("loss", "accuracy", "learning rate", "Größe ✓")


@dataclass
class Writing:
    """What one thread or process appends: point n goes to graph n modulo their number, at x = n modulo period.

    With a period of 1 all x are equal, so that the order of arrival is the order in which they are read.
    """

    name: str
    role: str  # main, thread, child or second
    points: int
    session: int = 0
    titles: list[str] = field(default_factory=lambda: [TITLES[0]])
    period: int = 1
    every: int = 10
    pause: float = 0.01
    extras: bool = False
    log: bool = False

    def entries(self) -> dict[Key, list[tuple[int, object, int]]]:
        """(x, value, number of the append) of all points that the appends make, by series."""
        made: dict[Key, list[tuple[int, object, int]]] = {}
        for n in range(self.points):
            title, x = self.titles[n % len(self.titles)], n % self.period
            made.setdefault((self.session, title, f"{self.name} {title}"), []).append((x, n, n))
            if self.extras and n % 5 == 0:
                value = ("NaN", "Infinity", "-Infinity", 0.25)[n // 5 % 4]
                made.setdefault((self.session, title, f"{self.name} {title} extra"), []).append((x, value, n))
            if self.log and n % 7 == 0:
                made.setdefault((self.session, "logged", f"{self.name} logged"), []).append((x, n, n))
        return made


@dataclass
class Plan:
    """A script: who appends what, and how it ends. `second_end` is that of the second process."""

    shape: str
    sessions: int
    writings: list[Writing]
    end: str
    second_end: str = "falls off"
    block: bool = True
    notes: bool = False
    segment_bytes: int | None = None
    """`block`: the sessions are used in a `with`. `notes`: each append is noted in a file that survives a kill.
    `segment_bytes`: the size of the journal's segments, where it is not the client's own."""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    def expected(self) -> Series:
        return {
            key: [(x, value) for x, value, _ in entries]
            for writing in self.writings
            for key, entries in writing.entries().items()
        }

    def exits(self) -> list[int]:
        """The exit status of each process, in the order in which they start."""
        both = [self.end, self.second_end] if self.shape.startswith("resumed") else [self.end]
        return [ENDS[end][0] for end in both]

    def ending(self) -> tuple[str, str | None]:
        """Status and reason of the sessions in the end."""
        return ENDS[self.second_end if self.shape == "resumed after" else self.end][1:]


def plan_of(number: int, seconds: float = 1.5) -> Plan:
    """The plan of a scenario: its appends take up to about `seconds`."""
    return _plan(random.Random(f"plan {number}"), tuple(SHAPES), seconds)


def steady_plan(number: int, seconds: float) -> Plan:
    """The plan of a script in one process whose appends take at least `seconds`."""
    dice = random.Random(f"steady plan {number}")
    plan = _plan(dice, ALONE, seconds)
    for writing in plan.writings:
        if plan.shape == "burst":
            writing.points, writing.every = 40_000, dice.choice((1_000, 5_000))
        writing.points = max(300, writing.points)
        writing.pause = seconds / (writing.points // writing.every)
    return plan


def _plan(dice: random.Random, shapes: tuple[str, ...], seconds: float) -> Plan:
    shape = dice.choices(shapes, [SHAPES[name] for name in shapes])[0]
    main = _writing(dice, "main", "main", seconds)
    plan = Plan(shape, 1, [main], dice.choice(tuple(ENDS)), block=dice.random() < 0.5)
    if shape == "graphs":
        main.titles = list(TITLES[: dice.randint(2, 4)])
    elif shape == "threads":
        plan.writings += [_writing(dice, f"thread {n}", "thread", seconds) for n in range(dice.randint(1, 3))]
    elif shape == "two sessions":
        plan.sessions = 2
        plan.writings.append(_writing(dice, "other", "thread", seconds, session=1))
    elif shape == "children":
        plan.writings += [_writing(dice, f"child {n}", "child", seconds) for n in range(dice.randint(1, 2))]
    elif shape == "burst":
        main.points, main.every, main.pause = dice.randint(10_000, 30_000), 10_000, 0.05
    elif shape.startswith("resumed"):
        plan.writings.append(_writing(dice, "second", "second", seconds))
        if shape == "resumed beside":  # the last to end decides, and that may be any of the two
            plan.end = plan.second_end = dice.choice(("falls off", "done", "exit 0"))
        else:
            plan.second_end = dice.choice(tuple(ENDS))
    if dice.random() < 0.5:  # some eight segments
        plan.segment_bytes = max(3_000, 5 * sum(writing.points for writing in plan.writings))
    return plan


def _writing(dice: random.Random, name: str, role: str, seconds: float, session: int = 0) -> Writing:
    points = dice.choice((1, 7, 60, 300, 300, 1_000, 3_000))
    every = dice.choice((1, 10, 50))
    pauses = max(1, points // every)
    return Writing(
        name,
        role,
        points,
        session,
        period=dice.choice((1, 1, 7, 1_000_000)),
        every=every,
        pause=min(0.3, dice.uniform(0.2, 1.0) * seconds / pauses),
        extras=dice.random() < 0.5,
        log=dice.random() < 0.3,
    )
