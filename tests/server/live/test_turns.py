"""Equal shares: what is expensive delays what is cheap by one turn at most."""

from __future__ import annotations

import random

from losswise_server.live.turns import Turns


def test_cheap_flows_wait_for_one_turn_at_most() -> None:
    turns = Turns()
    for _ in range(50):  # alone, it has all of the time
        assert turns.next_of(["large"]) == "large"
        turns.charge("large", 1.0)
    for _ in range(5):
        for _ in range(10):
            assert turns.next_of(["large", "small"]) == "small"
            turns.charge("small", 0.1)
        assert turns.next_of(["large", "small"]) in ("large", "small")
        turns.charge("large", 1.0)


def test_shares_are_equal_whatever_turns_cost() -> None:
    turns, choose = Turns(), random.Random(1)
    used = dict.fromkeys(range(5), 0.0)
    for _ in range(5_000):
        flow = turns.next_of(used)
        cost = choose.uniform(0.5, 1.5) * (flow + 1)
        turns.charge(flow, cost)
        used[flow] += cost
    assert max(used.values()) - min(used.values()) < 10


def test_a_flow_that_comes_back_has_no_credit() -> None:
    turns = Turns()
    for _ in range(100):
        turns.charge(turns.next_of(["a"]), 1.0)
    served = []
    for _ in range(20):
        served.append(turns.next_of(["a", "b"]))
        turns.charge(served[-1], 1.0)
    assert 9 <= served.count("b") <= 11
