"""Cells that run again: the session that nobody can reach any more is ended. In real kernels, and in IPython."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.conftest import ROOT, Script
from tests.client.fake_server import Recorder
from tests.client.notebook.kernel import Kernel, kernels
from tests.support.server import Server, eventually

NEW = "losswise.Session({tag!r}, track_git=False, console=False)"


@pytest.fixture
def kernel(recorder: Recorder, tmp_path: Path, clean_home: Path) -> Iterator[Kernel]:
    """A kernel whose sessions go to the recorder."""
    address = {"LW_BASE_URL": recorder.url, "LW_API_KEY": "key", "LW_JOURNAL_DIR": str(tmp_path / "journals")}
    for kernel in kernels(tmp_path, clean_home, PYTHONPATH=str(ROOT), **address):
        kernel.run("import losswise, time")
        yield kernel


def new(tag: str) -> str:
    return NEW.format(tag=tag)


def statuses(recorder: Recorder) -> dict[str, str]:
    """The last status of each session that was told one, by its tag."""
    found = {}
    for records in recorder.applied.values():
        tag = next(record["tag"] for record in records if record["type"] == "session" and "tag" in record)
        for record in records:
            if record["type"] == "status":
                found[tag] = record["status"]
            elif record["type"] == "points":
                found.pop(tag, None)
    return found


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


def test_it_ends_while_the_cell_that_runs_again_still_trains(kernel: Kernel, recorder: Recorder) -> None:
    kernel.run(f"session = {new('first')}")
    kernel.start(f"session = {new('second')}\ntime.sleep(30)")
    eventually(lambda: statuses(recorder) == {"first": "complete"})


def test_what_a_variable_reaches_stays_active(kernel: Kernel, recorder: Recorder) -> None:
    kernel.run(f"""
class Holder: pass
plain = {new("plain")}
in_list, in_tuple, in_dict, in_set = [{new("list")}], ({new("tuple")},), {{"a": {new("dict")}}}, {{{new("set")}}}
holder = Holder(); holder.inner = {new("object")}
graph = {new("graph")}.graph("loss")
graphs = [{new("graphs")}.graph("loss")]
log = {new("method")}.log
append = {new("append")}.graph("loss").append
""")
    kernel.run(f"_hidden = {new('hidden')}\n{new('no name')}\ndeep = [[{new('deep')}]]\nothers = [1, {{2}}, print]")
    kernel.run("1")
    eventually(lambda: len(statuses(recorder)) == 3)
    kernel.run("1")
    assert statuses(recorder) == {"hidden": "complete", "no name": "complete", "deep": "complete"}
    kernel.run("del plain; graph = graphs = log = append = None; in_list.clear(); holder.inner = None")
    eventually(lambda: len(statuses(recorder)) == 9)
    kernel.run("1")
    assert set(statuses(recorder)).isdisjoint({"tuple", "dict", "set"})


def test_what_a_cell_has_just_made_or_a_function_made_is_left_alone(kernel: Kernel, recorder: Recorder) -> None:
    kernel.run(f"def train():\n    losswise.Session('function', track_git=False)\ntrain()\n{new('without a name')}")
    kernel.listen(1.0)
    assert statuses(recorder) == {}
    kernel.run("1")
    eventually(lambda: statuses(recorder) == {"without a name": "complete"})
    kernel.run("1")
    assert statuses(recorder) == {"without a name": "complete"}


def test_an_append_opens_it_again_and_it_is_not_ended_again(kernel: Kernel, recorder: Recorder) -> None:
    kernel.run(f"deep = [[{new('session')}]]")
    kernel.run("1")
    eventually(lambda: statuses(recorder) == {"session": "complete"})
    kernel.run("deep[0][0].log({'train_loss': 1.0}); deep[0][0].flush()")
    kernel.run("time.sleep(1)")
    assert statuses(recorder) == {}
    assert recorder.points("train_loss") == [(0, 1.0)]


def test_a_session_that_went_on_after_its_end_is_ended_when_its_cell_runs_again(
    kernel: Kernel, recorder: Recorder
) -> None:
    kernel.run(f"session = {new('first')}\nsession.done()")
    kernel.run("session.log({'train_loss': 1.0})")
    kernel.run(f"session = {new('second')}")
    eventually(lambda: statuses(recorder) == {"first": "complete"})


def test_an_exception_in_a_cell_ends_the_sessions_of_with_blocks_only(kernel: Kernel, recorder: Recorder) -> None:
    kernel.run(f"session = {new('plain')}\nsession.log({{'loss': 1.0}})\n1 / 0", fails=True)
    kernel.run(f"with {new('with')} as other:\n    other.log({{'loss': 1.0}})\n    1 / 0", fails=True)
    eventually(lambda: statuses(recorder) == {"with": "failed"})
    kernel.run("session.log({'loss': 1.0})\nsession.flush()")
    assert statuses(recorder) == {"with": "failed"}


def test_objects_of_others_run_no_code(kernel: Kernel, recorder: Recorder) -> None:
    kernel.run(f"""
class Strange:
    def __getattr__(self, name): raise RuntimeError(name)
    def __iter__(self): raise RuntimeError("iterated")
    def __eq__(self, other): raise RuntimeError("compared")
    def __hash__(self): return 1
class StrangeList(list):
    def __iter__(self): raise RuntimeError("iterated")
class StrangeDict(dict):
    def values(self): raise RuntimeError("asked")
one, many, pairs = Strange(), StrangeList([{new("list")}]), StrangeDict(a={new("dict")})
session = {new("left")}
""")
    kernel.run("session = None")
    eventually(lambda: statuses(recorder) == {"left": "complete"})
    assert "Error" not in kernel.run("1")
    assert statuses(recorder) == {"left": "complete"}


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
    input()
"""


def test_ipython_in_a_terminal(script: Callable[..., Script], recorder: Recorder) -> None:
    running = script(TERMINAL, LW_BASE_URL=recorder.url, LW_API_KEY="key")
    eventually(lambda: statuses(recorder) == {"first": "complete"})
    assert running.process.stdin is not None
    running.process.stdin.write("\n")
    assert running.wait() == 0, running.errors
    assert "<losswise.Session 'second' active" in running.output
    assert statuses(recorder) == {"first": "complete", "second": "complete"}


def test_a_script_has_nothing_of_it(recorder: Recorder, tmp_path: Path) -> None:
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
