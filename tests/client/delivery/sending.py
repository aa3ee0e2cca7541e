"""A sender without a session, for tests that need other times than a session's."""

from __future__ import annotations

from pathlib import Path

from losswise.delivery.pacing import Timing
from losswise.delivery.sender import Sender
from losswise.journal.format import Header, record_line
from losswise.journal.writer import Journal
from losswise.protocol.records import graph_id, graph_record, new_id, points_record, session_record, text_record
from losswise.util.credentials import Target
from tests.support.server import eventually


def new_journal(folder: Path, base_url: str) -> Journal:
    """A journal with its session record."""
    journal = Journal(folder, Header.of_this_process(new_id(), new_id(), base_url), sends=True)
    journal.append([record_line(session_record(tag="sent", created_at=1.0))])
    return journal


def sending(journal: Journal, base_url: str, timing: Timing, key: str = "k") -> Sender:
    """A sender at work on the journal."""
    sender = Sender(Target(base_url, key), on_deleted=lambda: None, timing=timing)
    sender.thread.start()
    sender.begin(journal)
    return sender


def add_text(journal: Journal, sender: Sender, name: str, text: str = "x") -> None:
    journal.append([record_line(text_record(name, text))])
    sender.nudge()


def add_points(journal: Journal, sender: Sender, first_x: int, count: int) -> None:
    """So many points of name "a" in one record, on a graph that is recorded with the first of them."""
    graph = graph_id(journal.header.session, "loss")
    lines = [] if first_x else [record_line(graph_record(graph, "loss"))]
    xs = list(range(first_x, first_x + count))
    lines.append(record_line(points_record(graph, xs, [1.0] * count, {"a": [float(x) for x in xs]})))
    journal.append(lines)
    sender.nudge()


def finish(journal: Journal, sender: Sender) -> None:
    """End the journal, and wait until it is delivered."""
    journal.finish()
    sender.nudge()
    eventually(lambda: sender.finished)
