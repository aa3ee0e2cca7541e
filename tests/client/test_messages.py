"""Messages stand on lines of their own, also where a progress bar is drawn: on the terminal and in the console."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from tqdm import tqdm

from losswise.capture.terminal import Terminal
from losswise.util.messages import notify
from tests.client.capture.test_console_session import console_text
from tests.client.conftest import ROOT, Script, journal_records
from tests.support.server import Server, clean_environment, eventually

pty = pytest.importorskip("pty")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

OnTerminal = Callable[..., str]


@pytest.fixture
def on_terminal(tmp_path: Path, clean_home: Path) -> OnTerminal:
    """Runs Python code whose stdout and stderr are one terminal; returns what came out of it."""

    def run(code: str, **environ: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        passed = {"LW_JOURNAL_DIR": str(tmp_path / "journals"), "PYTHONPATH": str(ROOT), **environ}
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        process = subprocess.Popen(
            [sys.executable, str(path)],
            env=clean_environment(clean_home, **passed),
            cwd=tmp_path,
            stdin=its,
            stdout=its,
            stderr=its,
        )
        os.close(its)
        output = b""
        with contextlib.suppress(OSError):  # so a terminal ends on Linux
            while part := os.read(ours, 65536):
                output += part
        os.close(ours)
        assert process.wait(30) == 0, output.decode()
        return output.decode()

    return run


def seen(output: str) -> list[str]:
    """The lines that a person sees in the end."""
    terminal = Terminal()
    return (terminal.feed(output) + terminal.close()).splitlines()


def own_lines(lines: list[str]) -> list[str]:
    """The messages; none may stand behind something else, and nothing behind one."""
    told = [line for line in lines if "losswise: " in line]
    assert all(line.startswith("losswise: ") and "it/s" not in line and "%|" not in line for line in told), lines
    return told


BARS = {
    "tqdm": """
        from tqdm import tqdm
        for step in tqdm(range(6), mininterval=0):
            session.log({"loss": "much" if step == 3 else 0.5}, step)
            time.sleep(0.8 if step == 3 else 0.0)
    """,
    "a bar on stdout": r"""
        import sys
        sys.stderr.write("drawn on stdout\n")
        for step in range(6):
            sys.stdout.write(f"\r{step + 1}/6 [====]")
            session.log({"loss": "much" if step == 3 else 0.5}, step)
            time.sleep(0.8 if step == 3 else 0.0)
        print()
    """,
    "nested": """
        from tqdm import tqdm
        for epoch in tqdm(range(2), mininterval=0):
            for step in tqdm(range(6), mininterval=0, leave=False):
                session.log({"loss": "much" if step == 3 else 0.5}, step)
                time.sleep(0.8 if step == 3 else 0.0)
    """,
    "keras": """
        import os
        os.environ["KERAS_BACKEND"] = "torch"
        from keras.utils import Progbar
        bar = Progbar(6)
        for step in range(6):
            bar.update(step, finalize=False)
            session.log({"loss": "much" if step == 3 else 0.5}, step)
            time.sleep(0.8 if step == 3 else 0.0)
        bar.update(6, finalize=True)
    """,
}


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize("bar", [pytest.param(bar, marks=pytest.mark.full) if bar == "keras" else bar for bar in BARS])
def test_a_message_behind_a_bar_gets_a_line(bar: str, server: Server, on_terminal: OnTerminal) -> None:
    if bar == "keras" and find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    output = on_terminal(
        f"""
import time
import losswise
session = losswise.Session("bars", track_git=False)
print(session.id)
{textwrap.dedent(BARS[bar])}
session.done()
""",
        LW_BASE_URL=server.url,
        LW_API_KEY=server.api_key,
    )
    session_id = re.search(r"^([0-9a-f]{20})\r?$", output, re.MULTILINE)[1]  # type: ignore[index]
    kept = eventually(lambda: next(t["text"] for t in server.session(session_id)["texts"] if t["name"] == "console"))
    for lines in (seen(output), kept.splitlines()):
        watching, skipped = own_lines(lines)
        assert "watching" in watching
        assert "'much'" in skipped
        if bar in ("a bar on stdout", "keras"):
            assert any(drawn in lines[lines.index(skipped) - 1] for drawn in ("0/6", "3/6", "4/6"))  # the bar stays
        else:
            assert not any("it/s" in line for line in lines[: lines.index(skipped)])  # tqdm draws its bars below
        assert "" not in lines[: lines.index(skipped)]
        assert any(drawn in line for line in lines[lines.index(skipped) :] for drawn in ("6/6", "2/2"))


def test_a_bar_that_was_there_before_the_session(on_terminal: OnTerminal) -> None:
    output = on_terminal(
        """
        import losswise
        from tqdm import tqdm
        for fold in tqdm(range(3), mininterval=0):
            with losswise.Session(track_git=False, console=fold != 2) as session:
                print("fold", fold, flush=True)
        """,
        LW_MODE="offline",
    )
    lines = seen(output)
    assert len(own_lines(lines)) == 3
    assert "" not in lines


def test_the_last_message_behind_a_bar_that_is_never_finished(on_terminal: OnTerminal) -> None:
    output = on_terminal(
        """
        import losswise
        from tqdm import tqdm
        for step in tqdm(range(3), mininterval=0):
            if step == 0:
                session = losswise.Session(track_git=False)
            session.log({"loss": 1.0}, step)
            if step == 1:
                session.done()
                break
        """,
        LW_BASE_URL="http://127.0.0.1:9",
        LW_API_KEY="k",
    )
    told = own_lines(seen(output))
    assert any("are not sent yet" in line for line in told)


def test_streams_that_go_to_different_places(script: Callable[..., Script], tmp_path: Path) -> None:
    """A line that stdout has not finished is none of stderr's; the session's console has both."""
    run = script(
        """
        import sys, time
        import losswise
        session = losswise.Session(track_git=False)
        sys.stdout.write("unfinished")
        session.log({"loss": "much"})
        time.sleep(0.5)
        print(" business")
        """,
        LW_MODE="offline",
    )
    assert run.wait() == 0
    assert run.output == "unfinished business\n"
    assert [line.partition(": ")[0] for line in run.errors.splitlines()] == ["losswise"] * 2
    lines = console_text(journal_records(tmp_path / "journals")).splitlines()
    assert len(own_lines(lines)) == 2
    assert "unfinished" in lines


def test_colours_after_the_end_of_a_line(on_terminal: OnTerminal) -> None:
    output = on_terminal(
        r"""
        import sys
        import losswise
        session = losswise.Session(track_git=False)
        sys.stderr.write("\x1b[31mred\n\x1b[0m")
        session.log({"loss": "much"})
        """,
        LW_MODE="offline",
    )
    assert len(own_lines(seen(output))) == 2
    assert "" not in seen(output)


def test_a_message_does_not_wait_for_tqdms_lock(capsys: pytest.CaptureFixture[str]) -> None:
    """A forked child may find it locked forever."""
    with tqdm.get_lock():
        thread = threading.Thread(target=notify, args=("not held up",))
        thread.start()
        thread.join(10.0)
        assert not thread.is_alive()
    assert capsys.readouterr().err == "losswise: not held up\n"


def test_a_tqdm_that_is_not_the_one_we_know_costs_no_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tqdm, "external_write_mode", lambda **options: 1 / 0)
    notify("there")
    assert capsys.readouterr().err == "losswise: there\n"
