"""When changes are due: joined per session, limited in rate, none lost."""

from __future__ import annotations

from dataclasses import replace

from losswise_server.live.change_queue import ChangeQueue
from losswise_server.live.changes import Change


def take(queue: ChangeQueue, now: float) -> list[Change]:
    """All that is due, the first project's first."""
    taken = []
    while projects := queue.projects(now):
        taken.append(queue.take(next(iter(projects)), now))
    return taken


def change(key: int, version: int = 1) -> Change:
    return Change(f"{key:020}", key, 1, version - 1, version, version - 1, version, {1: (version, version)})


def test_changes_of_a_session_join_until_they_are_taken() -> None:
    queue = ChangeQueue(interval_s=1.0)
    first = change(1)
    queue.add(first)
    queue.add(change(2))
    queue.add(change(1, version=2))
    taken = take(queue, now=100.0)
    assert [(one.session_key, one.before, one.version) for one in taken] == [(1, 0, 2), (2, 0, 1)]
    assert taken[0].graphs == {1: (1, 2)}
    assert first == change(1)  # other queues hold it, too
    assert take(queue, now=200.0) == []


def test_a_session_is_due_once_an_interval_on_average() -> None:
    queue = ChangeQueue(interval_s=1.0)
    taken = []
    for tick in range(100, 200):  # changes come every 0.3 s
        queue.add(change(1))
        taken += [tick * 0.3] * len(take(queue, tick * 0.3))
    assert 29 <= len(taken) <= 31
    assert queue.next_due_at(0.0) is not None


def test_a_change_delays_the_next_by_its_cost() -> None:
    queue = ChangeQueue(interval_s=0.1, cost_s=0.5)
    for key in range(2):
        queue.add(change(key))
    assert [one.session_key for one in take(queue, now=10.0)] == [0]
    assert queue.next_due_at(10.0) == 10.5
    assert take(queue, now=10.4) == []
    assert [one.session_key for one in take(queue, now=10.5)] == [1]
    assert queue.next_due_at(10.5) is None


def test_a_postponed_session_waits_and_others_do_not() -> None:
    queue = ChangeQueue(interval_s=0.1)
    queue.add(change(1))
    queue.add(change(2))
    queue.postpone(1, until=20.0)
    assert [one.session_key for one in take(queue, now=10.0)] == [2]
    assert queue.next_due_at(10.0) == 20.0
    assert [one.session_key for one in take(queue, now=20.0)] == [1]


def test_a_session_that_moves_has_a_change_in_each_project_in_order() -> None:
    queue = ChangeQueue(interval_s=1.0)
    left = replace(change(1, version=2), deleted=True)
    came = replace(change(1, version=2), project=9)
    queue.add(change(1))
    queue.add(left)
    queue.add(came)
    taken = take(queue, now=100.0)
    assert [(one.project, one.before, one.version, one.deleted) for one in taken] == [(1, 0, 2, True), (9, 1, 2, False)]
    assert queue.next_due_at(100.0) is None
    # back again before its pages were told
    for one in (left, came, replace(came, before=2, version=3, deleted=True), replace(left, version=3, deleted=False)):
        queue.add(one)
    assert [(one.project, one.deleted) for one in take(queue, now=101.5)] == [(1, False), (9, True)]


def test_the_newest_change_says_whether_a_session_is_gone() -> None:
    queue = ChangeQueue(interval_s=1.0)
    queue.add(replace(change(1, version=3), deleted=True))
    queue.add(change(1, version=2))  # arrives late
    assert [(one.before, one.version, one.deleted) for one in take(queue, now=100.0)] == [(1, 3, True)]
