"""Values that are read later: of a meter that changes, of an accelerator that hangs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import losswise
from tests.client.conftest import Script, journal_records, points_of
from tests.client.fake_server import FakeServer


def test_a_meter_that_is_read_later_is_logged_as_it_was(recorder: FakeServer) -> None:
    class Meter:
        total = 0.0

        def __float__(self) -> float:
            return self.total

    session = losswise.Session(track_git=False)
    meter = Meter()
    for x in range(10):
        meter.total = float(x)
        session.graph("loss").append(x, {"a": meter})
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(10)]


def test_a_hanging_accelerator_keeps_no_other_graph_from_the_disk(
    script: Callable[..., Script], tmp_path: Path
) -> None:
    code = """
        import os, time
        import losswise

        class Hanging:
            def detach(self):
                return self
            clone = detach
            def __float__(self):
                time.sleep(60)

        session = losswise.Session(track_git=False, console=False)
        session.graph("gpu").append(0, {"loss": Hanging()})
        for x in range(100):
            session.graph("plain").append(x, {"rate": float(x)})
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(os.getpid(), 9)
    """
    script(code, LW_MODE="offline").wait()
    assert points_of(journal_records(tmp_path / "journals"), "rate") == [(x, float(x)) for x in range(100)]
