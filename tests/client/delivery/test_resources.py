"""An ended session leaves nothing in its process, and a forked child can go on with anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from tests.client.conftest import Script
from tests.client.fake_server import FakeServer
from tests.support.server import API_KEY

Start = Callable[..., Script]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts what is open in /proc")
@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.full)])
def test_many_sessions_leave_no_file_socket_or_thread(recorder: FakeServer, script: Start, count: int) -> None:
    code = f"""
        import os, resource, threading
        import losswise

        def run(number):
            session = losswise.Session(f"run {{number}}", track_git=False, command_line=False)
            for step in range(20):
                session.log({{"loss": 1 / (1 + step)}}, step)
            session.done()

        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        run(0)
        before = len(os.listdir("/proc/self/fd"))
        for number in range(1, {count}):
            run(number)
        print(len(os.listdir("/proc/self/fd")) - before, threading.active_count())
    """
    run = script(code, LW_BASE_URL=recorder.url, LW_API_KEY=API_KEY)
    assert run.wait(180.0) == 0, run.errors
    assert run.output.split() == ["0", "1"]
    assert len(recorder.points("loss")) == count * 20
    assert len(recorder.records("status")) == count
    assert all(line.startswith("losswise: watching at ") for line in run.errors.splitlines()), run.errors


FORKS = {
    "at once": "pass",
    "during the first request": "time.sleep(0.003)",
    "while it waits for its turn": 'session.flush(); session.log({"parent": 1.0}, 1); time.sleep(0.02)',
    "while the server does not answer": "time.sleep(0.3)",
    "after the end": "session.done()",
}


@pytest.mark.parametrize("moment", FORKS)
def test_a_forked_child_goes_on(recorder: FakeServer, script: Start, moment: str) -> None:
    if moment == "while the server does not answer":
        recorder.answer = lambda batch: "hang" if len(recorder.batches) == 1 else None
    code = f"""
import os, sys, time
import losswise
session = losswise.Session("parent", track_git=False, command_line=False, console=False)
session.log({{"parent": 1.0}}, 0)
{FORKS[moment]}
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            session.log({{f"child{{number}}": 1.0}}, 0)
            own = losswise.Session(f"own {{number}}", track_git=False, command_line=False, console=False)
            own.log({{"own": 1.0}}, number)
            own.done()
            status = 0 if session.flush(20.0) else 3
        finally:
            os._exit(status)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children], flush=True)
"""
    run = script(code, LW_BASE_URL=recorder.url, LW_API_KEY=API_KEY, LW_END_TIMEOUT="1")
    run.until("[0, 0, 0]")
    recorder.released.set()
    assert run.wait() == 0, run.errors
    assert sorted(x for x, _ in recorder.points("own")) == [0, 1, 2]
    for number in range(3):
        assert len(recorder.points(f"child{number}")) == 1
