"""A cell that runs again ends the session that it made before. In real kernels, and in IPython."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import ROOT, Script
from tests.client.fake_server import FakeServer
from tests.client.notebook.kernel import Kernel, kernels
from tests.support.server import Server, eventually

NEW = "losswise.Session({tag!r}, track_git=False, console=False)"


@pytest.fixture
def kernel(recorder: FakeServer, tmp_path: Path, clean_home: Path) -> Iterator[Kernel]:
    """A kernel whose sessions go to the recorder."""
    address = {"LW_BASE_URL": recorder.url, "LW_API_KEY": "key", "LW_JOURNAL_DIR": str(tmp_path / "journals")}
    for kernel in kernels(tmp_path, clean_home, PYTHONPATH=str(ROOT), **address):
        kernel.run("import losswise, threading, time")
        yield kernel


def new(tag: str) -> str:
    return NEW.format(tag=tag)


def statuses(recorder: FakeServer, by_order: bool = False) -> Any:
    """The last status that was recorded of each session that is not active.

    Returns:
        By tag; or with `by_order`, of all sessions in the order in which they began, None if active.
    """
    found = []
    for records in list(recorder.applied.values()):
        head = next(record for record in records if record["type"] == "session" and "tag" in record)
        status = None
        for record in records:
            if record["type"] == "status":
                status = record["status"]
            elif record["type"] == "points":
                status = None
        found.append((head["created_at"], head["tag"], status))
    found.sort()
    if by_order:
        return [status for _created_at, _tag, status in found]
    return {tag: status for _created_at, tag, status in found if status is not None}


def test_a_cell_that_runs_again_ends_the_session_before(server: Server, tmp_path: Path, clean_home: Path) -> None:
    address = {"LW_BASE_URL": server.url, "LW_API_KEY": server.api_key, "LW_JOURNAL_DIR": str(tmp_path / "journals")}
    cell = f"session = {new('again')}\nsession.log({{'train_loss': 0.5}})\nprint(session.id)\nsession"
    for kernel in kernels(tmp_path, clean_home, PYTHONPATH=str(ROOT), **address):
        first, second, third = (kernel.run(f"import losswise\n{cell}").split()[-1] for _ in range(3))
        for ended in (first, second):
            row = eventually(lambda ended=ended: (row := server.session(ended))["status"] != "active" and row)  # type: ignore[misc]
            assert (row["status"], row["reason"]) == ("complete", None)
        assert eventually(lambda third=third: server.session(third))["status"] == "active"  # type: ignore[misc]
        assert len({first, second, third}) == 3


def test_it_ends_while_the_cell_that_runs_again_still_trains(kernel: Kernel, recorder: FakeServer) -> None:
    kernel.run(f"session = {new('first')}", cell="a")
    kernel.start(f"session = {new('second')}\ntime.sleep(30)", cell="a")
    eventually(lambda: statuses(recorder) == {"first": "complete"})


def test_a_cell_is_known_by_the_front_ends_id(kernel: Kernel, recorder: FakeServer) -> None:
    kernel.run(f"session = {new('one')}", cell="a")
    kernel.run(f"session = {new('one')}", cell="b")  # another cell with the same text
    kernel.run(f"# edited\nsession = {new('two')}", cell="b")
    eventually(lambda: statuses(recorder, by_order=True) == [None, "complete", None])


def test_a_cell_without_an_id_is_known_by_its_text(kernel: Kernel, recorder: FakeServer) -> None:
    kernel.run(f"number = 0\nfirst = {new('first')}")
    kernel.run(f"number += 1\nsecond = {new('second')}")
    kernel.run(f"number += 1\nsecond = {new('second')}")
    eventually(lambda: statuses(recorder, by_order=True) == [None, "complete", None])


def test_all_sessions_of_the_cell_and_of_what_it_calls_are_ended(kernel: Kernel, recorder: FakeServer) -> None:
    kernel.run("def train(tag):\n    losswise.Session(tag, track_git=False, console=False)")
    kernel.run("for fold in range(3): train(f'a{fold}')", cell="a")
    kernel.run("train('b')", cell="b")
    kernel.run("1", cell="c")
    eventually(lambda: len(recorder.applied) == 4)
    assert statuses(recorder) == {}
    kernel.run("train('again')", cell="a")
    eventually(lambda: statuses(recorder) == {"a0": "complete", "a1": "complete", "a2": "complete"})


def test_what_is_made_outside_of_a_cells_run_ends_nothing(kernel: Kernel, recorder: FakeServer) -> None:
    kernel.run(f"session = {new('cell')}\nimport threading", cell="a")
    kernel.run(
        f"go = threading.Event()\nmake = lambda: (go.wait(), {new('thread')})\n"
        "thread = threading.Thread(target=make)\nthread.start()",
        cell="b",
    )
    kernel.run("go.set()\nthread.join()", cell="a")
    eventually(lambda: len(recorder.applied) == 2)
    kernel.run(f"session = {new('again')}", cell="a")
    eventually(lambda: statuses(recorder) == {"cell": "complete"})


def test_an_append_opens_it_again_and_it_is_not_ended_again(kernel: Kernel, recorder: FakeServer) -> None:
    cell = f"sessions = [*globals().get('sessions', []), {new('session')}]"
    kernel.run(cell)
    kernel.run(cell)
    eventually(lambda: statuses(recorder, by_order=True) == ["complete", None])
    kernel.run("sessions[0].log({'train_loss': 1.0}); sessions[0].flush()")
    kernel.run(cell)
    eventually(lambda: statuses(recorder, by_order=True) == [None, "complete", None])
    assert recorder.points("train_loss") == [(0, 1.0)]


def test_a_session_that_went_on_after_its_end_is_ended_when_its_cell_runs_again(
    kernel: Kernel, recorder: FakeServer
) -> None:
    kernel.run(f"session = {new('first')}\nsession.done()", cell="a")
    kernel.run("session.log({'train_loss': 1.0})\nsession.flush()", cell="b")
    assert statuses(recorder) == {}
    kernel.run(f"session = {new('second')}", cell="a")
    eventually(lambda: statuses(recorder) == {"first": "complete"})


def test_an_exception_in_a_cell_ends_the_sessions_of_with_blocks_only(kernel: Kernel, recorder: FakeServer) -> None:
    kernel.run(f"session = {new('plain')}\nsession.log({{'loss': 1.0}})\n1 / 0", fails=True)
    kernel.run(f"with {new('with')} as other:\n    other.log({{'loss': 1.0}})\n    1 / 0", fails=True)
    eventually(lambda: statuses(recorder) == {"with": "failed"})
    kernel.run("session.log({'loss': 1.0})\nsession.flush()")
    assert statuses(recorder) == {"with": "failed"}


def test_a_kernel_with_many_cells_does_not_grow(kernel: Kernel, recorder: FakeServer) -> None:
    kernel.run("import gc, weakref\nmade = weakref.WeakSet()")
    for number in range(30):
        kernel.run(f"session = {new('one')}\nmade.add(session)\nsession.done()", cell=f"cell {number}")
    assert kernel.run(f"session = {new('last')}\ngc.collect()\nprint(len(made))", cell="last").split()[-1] == "0"
    assert "losswise-cells" not in kernel.run("print([thread.name for thread in threading.enumerate()])")


TERMINAL = """
    import sys
    from IPython.core.interactiveshell import InteractiveShell
    import losswise
    shell = InteractiveShell.instance()
    def run(cell):
        assert shell.run_cell(cell, store_history=True).success
    run("import losswise")
    run("session = losswise.Session('first', track_git=False, console=False)")
    run("assert session._curves is None")
    run("session = losswise.Session('second', track_git=False, console=False)\\nsession")
    run("session = losswise.Session('first', track_git=False, console=False)")
    input()
"""


def test_ipython_in_a_terminal(script: Callable[..., Script], recorder: FakeServer) -> None:
    running = script(TERMINAL, LW_BASE_URL=recorder.url, LW_API_KEY="key")
    eventually(lambda: statuses(recorder, by_order=True) == ["complete", None, None])
    assert running.process.stdin is not None
    running.process.stdin.write("\n")
    assert running.wait() == 0, running.errors
    assert "<losswise.Session 'second' active" in running.output
    assert statuses(recorder, by_order=True) == ["complete"] * 3


def test_a_script_has_nothing_of_it(recorder: FakeServer, tmp_path: Path) -> None:
    code = """
        import sys, threading, losswise
        session = losswise.Session(track_git=False)
        session.log({"loss": 1.0})
        session = losswise.Session(track_git=False)
        assert session._curves is None
        assert not [name for name in sys.modules if name.startswith("IPython")]
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("losswise-cells")]
        try:
            session._ipython_display_()
        except NotImplementedError:
            print("not shown")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.stdout.split("\n")[0] == "not shown", done.stderr
