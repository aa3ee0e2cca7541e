"""SIGTERM: whoever else handles it, a script ends as it does with LW_MODE=disabled, and its session is cancelled.

Each cell of the table runs one script twice, disabled and offline, and compares its exit status and what its handlers,
`finally` blocks and atexit functions print, in their order.
"""

from __future__ import annotations

import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.client.conftest import Script, journal_records

Start = Callable[..., Script]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a script can handle")


class Owner(NamedTuple):
    """Who handles SIGTERM: code before `import losswise`, code after the session was created, and the training.

    The training calls `ready()` once its handler is in place.
    """

    before: str = ""
    after: str = ""
    loop: str = """
        ready()
        while not stopped:
            graph.append({"loss": 1.0})
            time.sleep(0.01)
    """


SAYS = """
    def handler(number, frame):
        print("handler", flush=True)
"""
FLAG = SAYS + "        stopped.append(True)\n"
EXIT = SAYS + "        sys.exit(3)\n"
SET = "signal.signal(signal.SIGTERM, handler)"

OWNERS = {
    "nobody": Owner(),
    "the script, before, by a flag": Owner(before=f"{FLAG}\n    {SET}"),
    "the script, after, by a flag": Owner(after=f"{FLAG}\n    {SET}"),
    "the script, before, by sys.exit": Owner(before=f"{EXIT}\n    {SET}"),
    "the script, after, by sys.exit": Owner(after=f"{EXIT}\n    {SET}"),
    "the script, as Ctrl-C": Owner(after="signal.signal(signal.SIGTERM, signal.default_int_handler)"),
    "the script, by an exception": Owner(
        after="""
    class Terminated(Exception): ...
    def handler(number, frame):
        raise Terminated("by the scheduler")
    signal.signal(signal.SIGTERM, handler)
"""
    ),
    "a chain that exits where nobody was before": Owner(
        after="""
    def handler(number, frame):
        print("handler", previous, flush=True)
        previous(number, frame) if callable(previous) else sys.exit(4)
    previous = signal.signal(signal.SIGTERM, handler)
"""
    ),
    "a chain that restores and sends the signal again": Owner(
        after="""
    def handler(number, frame):
        print("handler", flush=True)
        signal.signal(signal.SIGTERM, previous)
        os.kill(os.getpid(), signal.SIGTERM)
    previous = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, handler)
"""
    ),
    "a chain onto the script's own handler": Owner(
        before=f"""
    {EXIT}
    {SET}""",
        after="""
    def second(number, frame):
        print("second", previous is handler, flush=True)
        previous(number, frame)
    previous = signal.signal(signal.SIGTERM, second)
""",
    ),
    "a chain by functions imported before": Owner(
        before="from signal import getsignal as get_early, signal as set_early",
        after="""
    def handler(number, frame):
        print("handler", flush=True)
        if callable(previous):
            previous(number, frame)
        stopped.append(True)
    previous = get_early(signal.SIGTERM)
    set_early(signal.SIGTERM, handler)
""",
    ),
    "one that restores what a function imported before found": Owner(
        before="from signal import getsignal as get_early",
        after="""
    original = get_early(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    signal.signal(signal.SIGTERM, original)
""",
    ),
    "one that leaves it alone if it is handled": Owner(
        after=f"""
    {EXIT}
    if signal.getsignal(signal.SIGTERM) in (None, signal.SIG_DFL):
        {SET}
"""
    ),
    "one that sets it for a while": Owner(
        after=f"""
    {EXIT}
    original = signal.getsignal(signal.SIGTERM)
    {SET}
    signal.signal(signal.SIGTERM, original)
    print(signal.getsignal(signal.SIGTERM), flush=True)
"""
    ),
    "asyncio": Owner(
        loop="""
        import asyncio
        async def train():
            loop, event = asyncio.get_running_loop(), asyncio.Event()
            loop.add_signal_handler(signal.SIGTERM, event.set)
            ready()
            while not event.is_set():
                graph.append({"loss": 1.0})
                await asyncio.sleep(0.01)
            print("event", flush=True)
        asyncio.run(train())
    """
    ),
    "asyncio, by cancelling": Owner(
        loop="""
        import asyncio
        async def train():
            task = asyncio.current_task()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
            try:
                ready()
                await asyncio.sleep(30)
            finally:
                print("cancelled", flush=True)
        asyncio.run(train())
    """
    ),
    "a requeue: SIGUSR1 before": Owner(
        after="""
    def requeue(number, frame):
        print("checkpoint", flush=True)
    signal.signal(signal.SIGUSR1, requeue)
    def handler(number, frame):
        print("handler", flush=True)
        stopped.append(True)
    if signal.getsignal(signal.SIGTERM) in (None, signal.SIG_DFL):
        signal.signal(signal.SIGTERM, handler)
"""
    ),
    "a debugger": Owner(
        loop="""
        import pdb
        debugger = pdb.Pdb(stdin=open(os.devnull), nosigint=False)
        debugger.rcLines = ["continue"]
        def train():
            ready()
            while not stopped:
                graph.append({"loss": 1.0})
                time.sleep(0.01)
        try:
            debugger.runcall(train)
        except BaseException as error:
            print(type(error).__name__, flush=True)
            raise
    """
    ),
}

WAYS: dict[str, tuple[int, ...]] = {
    "once": (signal.SIGTERM,),
    "twice": (signal.SIGTERM, signal.SIGTERM),
    "after SIGUSR1": (signal.SIGUSR1, signal.SIGTERM) if hasattr(signal, "SIGUSR1") else (),
}


def source(owner: Owner) -> str:
    def part(code: str) -> str:
        return textwrap.indent(textwrap.dedent(code).strip("\n"), "")

    loop = textwrap.indent(part(owner.loop), "    ")
    usr1 = "signal.signal(signal.SIGUSR1, lambda number, frame: print('SIGUSR1', flush=True))"
    return "\n".join(
        [
            "import atexit, os, signal, sys, time",
            "stopped = []",
            "def told(text):",
            "    atexit.register(print, text, flush=True)",
            "def ready():",
            "    print('ready', flush=True)",
            usr1,
            part(owner.before),
            "import losswise",
            "told('atexit')",
            "session = losswise.Session('run', track_git=False, command_line=False, console=False)",
            "graph = session.graph('loss')",
            "graph.append({'loss': 2.0})",
            part(owner.after),
            "try:",
            loop,
            "except BaseException as error:",
            "    print('except', type(error).__name__, flush=True)",
            "    raise",
            "finally:",
            "    print('finally', flush=True)",
            "    time.sleep(0.5)",
            "print('end', flush=True)",
            "",
        ]
    )


def finished(run: Script, way: str) -> tuple[int, str]:
    run.until("ready")
    time.sleep(0.15)  # it trains
    for number in WAYS[way]:
        if run.process.poll() is None:
            run.process.send_signal(number)
            deadline = time.monotonic() + 0.3
            # a second one finds a script that reacts to the first in its `finally`, always
            while run.process.poll() is None and "finally" not in run.output and time.monotonic() < deadline:
                time.sleep(0.01)
    status = run.wait()
    return status, run.output


@pytest.mark.parametrize(
    "way", ["once", *(pytest.param(way, marks=pytest.mark.full) for way in ("twice", "after SIGUSR1"))]
)
@pytest.mark.parametrize("owner", OWNERS)
def test_a_script_ends_as_without_losswise(script: Start, tmp_path: Path, owner: str, way: str) -> None:
    code = source(OWNERS[owner])
    plain = script(code, LW_MODE="disabled")
    run = script(code, LW_MODE="offline")
    expected = finished(plain, way)
    assert finished(run, way) == expected, run.errors
    assert without_frames(run.errors) == without_frames(plain.errors)
    records = journal_records(tmp_path / "journals")
    ends = [(record["status"], record["reason"]) for record in records if record["type"] == "status"]
    assert ends == [("cancelled", "interrupted")]


def without_frames(errors: str) -> list[str]:
    """What a script wrote to stderr, without our messages and without the lines of tracebacks' frames."""
    return [line for line in errors.splitlines() if not line.startswith((" ", "losswise:"))]


def test_a_script_that_ignores_sigterm_goes_on(script: Start, tmp_path: Path) -> None:
    code = """
        import os, signal
        import losswise
        session = losswise.Session("run", track_git=False, command_line=False)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        session.graph("loss").append({"loss": 1.0})
        os.kill(os.getpid(), signal.SIGTERM)
        print(signal.getsignal(signal.SIGTERM) == signal.SIG_IGN)
    """
    run = script(code, LW_MODE="offline")
    assert run.wait() == 0, run.errors
    assert run.output == "True\n"
    assert journal_records(tmp_path / "journals")[-1]["status"] == "complete"


def test_lw_sigterm_0_leaves_sigterm_alone(script: Start, tmp_path: Path) -> None:
    code = """
        import os, signal, time
        before = signal.signal, signal.getsignal
        import losswise
        session = losswise.Session("run", track_git=False, command_line=False)
        session.graph("loss").append({"loss": 1.0})
        session._recorder.write_out(10)
        print((signal.signal, signal.getsignal) == before, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    """
    run = script(code, LW_MODE="offline", LW_SIGTERM="0")
    assert run.wait() == -signal.SIGTERM, run.errors
    assert run.output == "True\n"
    types = [record["type"] for record in journal_records(tmp_path / "journals")]
    assert "points" in types
    assert "status" not in types  # whoever sends the journal adds it


def test_wrong_handlers_are_refused_as_by_python(script: Start) -> None:
    code = """
        import signal
        import losswise
        losswise.Session("run", track_git=False)
        for wrong in (7.5, "a handler", object()):
            try:
                signal.signal(signal.SIGTERM, wrong)
            except TypeError as error:
                print(error)
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    """
    runs = [script(code, LW_MODE=mode) for mode in ("disabled", "offline")]
    assert [run.wait() for run in runs] == [0, 0], runs[1].errors
    assert runs[0].output == runs[1].output


@pytest.mark.parametrize("how", ["sys.exit(143)", "sys.exit(130)"])
def test_an_exit_status_of_a_signal_is_a_cancelled_session(script: Start, tmp_path: Path, how: str) -> None:
    run = script(f"import sys, losswise\nlosswise.Session('run', track_git=False)\n{how}\n", LW_MODE="offline")
    assert run.wait() == int(how[-4:-1]), run.errors
    last = journal_records(tmp_path / "journals")[-1]
    assert (last["status"], last["reason"]) == ("cancelled", "interrupted")


def test_a_session_that_fails_in_a_graceful_stop_keeps_the_error(script: Start, tmp_path: Path) -> None:
    code = """
        import os, signal
        import losswise
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        with losswise.Session("run", track_git=False, command_line=False):
            os.kill(os.getpid(), signal.SIGTERM)
            raise OSError("the checkpoint cannot be written")
    """
    run = script(code, LW_MODE="offline")
    assert run.wait() == 1, run.errors
    last = journal_records(tmp_path / "journals")[-1]
    assert (last["status"], last["error"]["type"]) == ("cancelled", "OSError")


def test_a_child_of_multiprocessing_ends_as_without_losswise(script: Start, tmp_path: Path) -> None:
    code = """
        import multiprocessing, os, signal, sys, time
        import losswise
        def train(ready):
            try:
                session = losswise.Session("run", track_git=False, command_line=False, console=False)
                graph = session.graph("loss")
                graph.append({"loss": 1.0})
                ready.set()
                for _ in range(3_000):  # a signal in the instant before a sleep does not interrupt that one
                    time.sleep(0.01)
            finally:
                print("finally", flush=True)
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            ready = context.Event()
            child = context.Process(target=train, args=(ready,))
            child.start()
            ready.wait()
            child.terminate()
            child.join()
            print(child.exitcode)
    """
    runs = [script(code, LW_MODE=mode) for mode in ("disabled", "offline")]
    assert [run.wait() for run in runs] == [0, 0], runs[1].errors
    assert runs[0].output == runs[1].output == f"{-signal.SIGTERM}\n"
    assert journal_records(tmp_path / "journals")[-1]["status"] == "cancelled"
