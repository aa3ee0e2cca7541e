"""The training script of the scenarios: `python training.py PLAN FOLDER [ID]`, through the public API only.

It does what the plan says (see plans.py) and prints the ids of its sessions first. With an id it is the second
process of a plan, and resumes that session. (Only the size of the journal's segments is no public setting.)
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import losswise
from losswise.journal import writer as journal

BEAT = 0.01
"""Seconds between two beats of the thread that notes how late this machine runs this process's threads."""

plan = json.loads(Path(sys.argv[1]).read_text())
folder = Path(sys.argv[2])
resume = sys.argv[3] if len(sys.argv) > 3 else None


def write(session: losswise.Session, writing: dict[str, Any], then: Callable[[], None] | None = None) -> None:
    """Append the points of one writing, and note each where the plan wants it; call `then` after a third."""
    name, titles = writing["name"], writing["titles"]
    graphs = [session.graph(title, kind="min") for title in titles]
    keys = [f"{name} {title}" for title in titles]
    note = os.open(folder / f"{name}.notes", os.O_CREAT | os.O_WRONLY | os.O_APPEND) if plan["notes"] else None
    for n in range(writing["points"]):
        if then is not None and n == writing["points"] // 3:
            then()
        which, x = n % len(titles), n % writing["period"]
        # now and then a number that is none of Python's own, which goes another way through the client
        y: dict[str, Any] = {keys[which]: Fraction(n) if n % 11 == 10 else n}
        if writing["extras"] and n % 5 == 0:
            y[f"{keys[which]} extra"] = (float("nan"), float("inf"), float("-inf"), 0.25)[n // 5 % 4]
        graphs[which].append(x, y)
        if note is not None:
            os.write(note, struct.pack("<qd", n, time.time()))
        if writing["log"] and n % 7 == 0:
            session.log({f"{name} logged": n}, x=x)
        if (n + 1) % writing["every"] == 0:
            if name == "main":
                session.set_values({"appended": n + 1})
            time.sleep(writing["pause"])
    if name == "main":
        session.set_values({"appended": writing["points"]})
        session.text("note", f"all {writing['points']} points")


def beat() -> None:
    with open(folder / "beats", "ab", buffering=0) as file:
        while True:
            file.write(struct.pack("<d", time.time()))
            time.sleep(BEAT)


def train(sessions: list[losswise.Session]) -> None:
    """All writings of this process: in children, in threads, and in the main thread."""
    mine = [writing for writing in plan["writings"] if (writing["role"] == "second") is (resume is not None)]
    fork = multiprocessing.get_context("fork")
    running: list[Any] = []
    for writing in mine:
        work: dict[str, Any] = {"target": write, "args": (sessions[writing["session"]], writing)}
        if writing["role"] == "child":
            running.append(fork.Process(**work))
        elif writing["role"] == "thread":
            running.append(threading.Thread(**work))

    def start() -> None:
        for other in running:
            other.start()

    for writing in mine:
        if writing["role"] in ("main", "second"):
            write(sessions[writing["session"]], writing, start)  # so that a fork finds points not written yet
    for other in running:
        other.join()
        if getattr(other, "exitcode", 0):
            print(f"a child ended with status {other.exitcode}", file=sys.stderr)


def end(sessions: list[losswise.Session], how: str) -> None:
    if how == "done":
        for session in sessions:
            session.done()
    elif how == "failed":
        for session in sessions:
            session.done("failed", reason="diverged")
    elif how == "exception":
        raise RuntimeError("the script's own error")
    elif how == "sigterm":
        os.kill(os.getpid(), signal.SIGTERM)
    elif how == "interrupt":
        raise KeyboardInterrupt
    elif how.startswith("exit"):
        sys.exit(int(how[4:]))


def make_segments_small(size: int) -> None:
    """Segments of a size that no script of seconds would fill otherwise."""
    if not hasattr(journal, "SEGMENT_BYTES"):
        raise AttributeError("the size of segments has another name now")
    journal.SEGMENT_BYTES = size


def main() -> None:
    if plan["segment_bytes"]:
        make_segments_small(plan["segment_bytes"])
    if plan["notes"]:
        threading.Thread(target=beat, daemon=True).start()
    places = {f"{writing['name']} logged": ("logged", "max") for writing in plan["writings"]}
    count = plan["sessions"] if resume is None else 1
    sessions = [
        losswise.Session(None if resume else f"{plan['shape']} {n}", track_git=False, resume=resume, graphs=places)
        for n in range(count)
    ]
    print(json.dumps([session.id for session in sessions]), flush=True)
    with contextlib.ExitStack() as blocks:
        if plan["block"]:
            for session in sessions:
                blocks.enter_context(session)
        train(sessions)
        end(sessions, plan["second_end"] if resume else plan["end"])


main()
