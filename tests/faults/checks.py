"""What must be so once the network is well again and everything is sent."""

from __future__ import annotations

import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

from losswise.protocol.records import graph_id
from tests.faults.plans import ENDS, Plan, Series
from tests.faults.wire import Message
from tests.support.server import Server

MOST_LOST = 0.2
"""Seconds before a kill whose points may be missing."""


def rows(server: Server, ids: list[str]) -> list[dict[str, Any]]:
    """The sessions that the server has of these."""
    answers = [server.request("GET", f"/api/v2/sessions/{id_}") for id_ in ids]
    return [answer.json() for answer in answers if answer.status_code == 200]


def stored(server: Server, ids: list[str]) -> Series:
    """All points of these sessions, in the order in which the server reads them: by x, then by arrival."""
    return {
        (ids.index(row["id"]), graph["title"], name): list(zip(columns["x"], columns["y"], strict=True))
        for row in rows(server, ids)
        for graph in row["graphs"]
        for name, columns in server.points(graph["id"]).items()
    }


def points_arrived_once_and_in_order(expected: Series, found: Series) -> list[str]:
    """A sentence for each series that is not what it must be."""
    wrong = [f"{key} was never appended, and has {len(found[key])} points" for key in found.keys() - expected.keys()]
    for key, points in expected.items():
        have, want = found.get(key, []), sorted(points, key=lambda point: point[0])
        if have == want:
            continue
        had, wanted = Counter(have), Counter(want)
        missing, more = list((wanted - had).elements()), list((had - wanted).elements())
        detail = f"{len(missing)} missing {missing[:5]}, {len(more)} too many {more[:5]}"
        if not missing and not more:
            first = next(n for n, pair in enumerate(zip(have, want, strict=True)) if pair[0] != pair[1])
            detail = f"another order from place {first} on: {have[first : first + 5]}, not {want[first : first + 5]}"
        wrong.append(f"{key}: {len(have)} points of {len(want)}; {detail}")
    return wrong


def counted_right(server: Server, ids: list[str], found: Series) -> list[str]:
    """The statistics, which are kept up with each batch, count the points that are there."""
    counts = {
        (ids.index(row["id"]), graph["title"], name): stat["count"]
        for row in rows(server, ids)
        for graph in row["graphs"]
        for name, stat in graph["stats"].items()
    }
    there = {key: len(points) for key, points in found.items()}
    return [] if counts == there else [f"the statistics count {counts}, and there are {there}"]


def session_is_complete(server: Server, plan: Plan, ids: list[str]) -> list[str]:
    """Status, values and texts are what the script said last."""
    wrong = []
    found = rows(server, ids)
    if [row["id"] for row in found] != ids:
        return [f"of the sessions {ids} the server has {[row['id'] for row in found]}"]
    for row in found:
        if (row["status"], row["reason"]) != plan.ending():
            wrong.append(f"the session is {row['status']} ({row['reason']}), not {plan.ending()}")
        if row["dropped"]:
            wrong.append(f"{row['dropped']} points were dropped")
    points = plan.writings[0].points
    if found[0]["values"] != {"appended": points}:
        wrong.append(f"the values are {found[0]['values']}, not {points} appended")
    if [text["text"] for text in found[0]["texts"] if text["name"] == "note"] != [f"all {points} points"]:
        wrong.append(f"the texts are {found[0]['texts']}")
    return wrong


def script_was_left_alone(exit_status: int | None, end: str, stderr: str) -> list[str]:
    """The script ended as it wanted, and nothing of the client's own failures reached it."""
    wrong = []
    if exit_status != ENDS[end][0]:
        wrong.append(f"the script ({end}) ended with status {exit_status}, not {ENDS[end][0]}")
    own = 1 if end in ("exception", "interrupt") else 0
    if stderr.count("Traceback (most recent call last)") != own:
        wrong.append("there is a traceback that is not the script's")
    signs = ("an error while", "Exception ignored", "Fatal Python error", "the server reject", "a child ended with")
    return wrong + [f"stderr says {sign!r}" for sign in signs if sign in stderr]


def nothing_is_left(journals: Path) -> list[str]:
    left = sorted(path.name for pattern in ("*.journal", "*.refused") for path in journals.rglob(pattern))
    return [f"the journal folder still holds {left}"] if left else []


def lost(folder: Path, plan: Plan, found: Series, killed_at: float) -> tuple[list[str], float]:
    """After a kill: what is wrong, and the age in seconds of the oldest point that is lost.

    Each series must be a prefix of what was appended. Where this machine let the killed process wait, it may
    have lost as much more: a thread beside the client's noted how late it ran.
    """
    wrong: list[str] = []
    longest = 0.0
    late = _lateness(folder / "beats", killed_at)
    expected: Series = {}
    for writing in plan.writings:
        appended_at = [at for _, at in _read(folder / f"{writing.name}.notes", "<qd")]
        for key, entries in writing.entries().items():
            have = len(found.get(key, []))
            expected[key] = [(x, value) for x, value, _ in entries[:have]]
            if have and entries[min(have, len(entries)) - 1][2] > len(appended_at):
                wrong.append(f"{key}: {have} points, more than were appended")  # the last may lack its note
            gone = [appended_at[n] for _, _, n in entries[have:] if n < len(appended_at)]
            age = killed_at - gone[0] if gone else 0.0
            longest = max(longest, age)
            if age > MOST_LOST + late:
                wrong.append(
                    f"{key}: {len(gone)} points lost, the oldest {age:.3f} s before the kill "
                    f"({MOST_LOST} s, and {late:.3f} s for which the process had to wait, are allowed)"
                )
    kept = {key: points for key, points in expected.items() if points}
    return wrong + points_arrived_once_and_in_order(kept, found), longest


def _lateness(beats: Path, killed_at: float, window: float = 1.0) -> float:
    """By how much more than planned the killed process's threads had to wait, at most, just before the kill."""
    times = [time for (time,) in _read(beats, "<d") if time > killed_at - window]
    gaps = [after - before for before, after in zip(times, [*times[1:], killed_at], strict=True)]
    return max(0.0, max(gaps, default=0.0) - 0.03)


def _read(path: Path, form: str) -> list[Any]:
    data = path.read_bytes() if path.exists() else b""
    size = struct.calcsize(form)
    return list(struct.iter_unpack(form, data[: len(data) // size * size]))


def acknowledged_is_there(acknowledged: list[Message], found: Series, ids: list[str]) -> list[str]:
    """Every point of a batch whose answer arrived is stored."""
    titles = {graph_id(ids[at], title): (at, title) for at, title, _ in found}
    wanted: Counter[tuple[object, ...]] = Counter()
    for request in acknowledged:
        for record in json.loads(request.plain_body())["records"]:
            if record["type"] != "points":
                continue
            for name, values in record["y"].items():
                place = (*titles.get(record["graph"], (record["graph"], "")), name)
                wanted.update((place, x, y) for x, y in zip(record["x"], values, strict=True) if y is not None)
    have: Counter[tuple[Any, ...]] = Counter((key, x, y) for key, points in found.items() for x, y in points)
    missing = list((Counter(set(wanted)) - have).elements())
    return [f"{len(missing)} acknowledged points are gone: {missing[:5]}"] if missing else []
