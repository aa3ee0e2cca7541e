"""A session as the result of a notebook's cell: its HTML, and outputs that follow it. In real kernels."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.notebook import cells, display
from losswise.notebook.curves import Curve
from losswise.notebook.html import STYLE
from losswise.util import ipython
from tests.client.conftest import ROOT
from tests.client.fake_server import FakeServer
from tests.client.notebook.kernel import Kernel, kernels
from tests.support.server import eventually


@pytest.fixture
def kernel(recorder: FakeServer, tmp_path: Path, clean_home: Path) -> Iterator[Kernel]:
    """A kernel whose sessions go to the recorder."""
    address = {"LW_BASE_URL": recorder.url, "LW_API_KEY": "key", "LW_JOURNAL_DIR": str(tmp_path / "journals")}
    for kernel in kernels(tmp_path, clean_home, PYTHONPATH=str(ROOT), **address):
        kernel.run("import losswise, threading, time")
        yield kernel


NEW = "session = losswise.Session('net', 100, track_git=False, console=False)\n"


def test_an_output_follows_the_training_and_ends_with_it(kernel: Kernel) -> None:
    kernel.run(NEW + "session")
    ((kind, html, text, display),) = kernel.shown
    assert kind == "display_data"
    assert display
    assert "no graphs yet" in html
    assert text.startswith("<losswise.Session 'net' active")

    kernel.run("for x in range(35):\n    session.log({'train_loss': 1 - x / 100}, x)\n    time.sleep(0.1)")
    followed = kernel.shown[1:]
    assert {(shown[0], shown[3]) for shown in followed} == {("update_display_data", display)}
    assert 3 <= len(followed) <= 5  # about one a second, and one when the cell has run
    assert "35%" in followed[-1][1]
    assert "<b>0.6600</b>" in followed[-1][1]  # the last value
    assert 'viewBox="' in followed[-1][1]

    kernel.run("session.done()")
    kernel.until(lambda shown: ">complete<" in shown[1])
    kernel.listen(2.5)
    assert sum(">complete<" in shown[1] for shown in kernel.shown) <= 2
    assert "losswise-notebook" not in kernel.run("print([thread.name for thread in threading.enumerate()])")


def test_the_last_points_before_the_end_are_drawn(kernel: Kernel) -> None:
    kernel.run(NEW + "session")
    kernel.run("session.log({'loss': 1.0})\nfor x in range(1_000): session.log({'loss': 0.125}, x)\nsession.done()")
    last = kernel.until(lambda shown: ">complete<" in shown[1] and "0.1250" in shown[1])
    assert ">999<" in last[1]


def test_nothing_new_is_nothing_sent(kernel: Kernel) -> None:
    kernel.run(NEW + "session.log({'loss': 1.0})\nsession.flush()\nsession")
    kernel.listen(1.5)
    assert kernel.listen(2.5) == []
    kernel.run("session.log({'loss': 2.5})")
    kernel.until(lambda shown: "<b>2.500</b>" in shown[1])


def test_a_session_that_goes_on_is_followed_again(kernel: Kernel) -> None:
    kernel.run(NEW + "session.log({'loss': 1.0})\nsession.done()\nsession")
    assert ">complete<" in kernel.shown[0][1]
    kernel.listen(1.5)  # the thread has ended
    kernel.start("session.log({'loss': 2.5})\ntime.sleep(60)")
    last = kernel.until(lambda shown: ">active<" in shown[1] and "<b>2.500</b>" in shown[1])
    assert last[3] == kernel.shown[0][3]


def test_many_outputs_are_kept_up_by_one_thread(kernel: Kernel) -> None:
    kernel.run(NEW + "second = losswise.Session('other', track_git=False, console=False)\nsession")
    for code in ("session", "second", "display(session, second)"):
        kernel.run(code)
    displays = {shown[3] for shown in kernel.shown}
    assert len(displays) == 5
    names = kernel.run("print([thread.name for thread in threading.enumerate()])")
    assert names.count("losswise-notebook") == 1
    kernel.run("session.log({'loss': 1.0})\nsecond.log({'loss': 2.0})")
    kernel.listen(2.0)
    assert {shown[3] for shown in kernel.shown if shown[0] == "update_display_data"} == displays


def test_what_captures_outputs_gets_a_still_picture(kernel: Kernel) -> None:
    kernel.run(NEW + "session.log({'loss': 1.5})\nassert session.flush()")
    kernel.run("%%capture kept\ndisplay(session)")
    kernel.run("session.log({'loss': 2.5})\ntime.sleep(1.5)")
    assert kernel.shown == []
    kernel.run("print(len(kept.outputs))\nkept.outputs[0]")
    assert kernel.printed.split()[-1] == "1"
    assert "<b>1.500</b>" in kernel.shown[0][1]


class ZMQInteractiveShell:
    """As a kernel's shell looks, with a publisher that breaks once the output is there."""

    def __init__(self) -> None:
        self.display_pub = self.events = self
        self.user_ns: dict[str, Any] = {}
        self.published: list[bool] = []

    def register(self, event: str, function: Any) -> None:
        assert event == "post_run_cell"

    def publish(self, data: Any, metadata: Any, transient: Any, update: bool) -> None:
        self.published.append(update)
        if update:
            raise OSError("the kernel is closed")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, recorder: FakeServer) -> ZMQInteractiveShell:
    shell = ZMQInteractiveShell()
    monkeypatch.setattr(ipython, "running_shell", lambda: shell)
    monkeypatch.setattr(display, "UPDATE_INTERVAL_S", 0.05)
    monkeypatch.setattr(display, "_outputs", display._Outputs())
    monkeypatch.setattr(cells, "_made", [])
    return shell


def test_a_closed_kernel_ends_it_silently(shell: ZMQInteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    session = losswise.Session(track_git=False)
    session._ipython_display_()
    session.log({"loss": 1.0})
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "losswise-notebook"])
    assert shell.published == [False, True]
    session.done()
    said = [line for line in capsys.readouterr().err.splitlines() if "watching at" not in line]
    assert said == []


def test_an_error_in_the_picture_loses_no_point(
    shell: ZMQInteractiveShell,
    recorder: FakeServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Curve, "add", lambda *values: 1 / 0)
    session = losswise.Session(track_git=False)
    for x in range(100):
        session.log({"loss": 1.0}, x)
        assert x % 50 or session.flush()
    session.done()
    assert len(recorder.points("loss")) == 100
    assert capsys.readouterr().err.count("ZeroDivisionError") == 1


class Checked(HTMLParser):
    """Reads HTML and notes what could load or run something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            assert not name.startswith("on"), name
            assert name not in ("src", "srcset", "xlink:href", "data"), name
            assert name != "href" or re.fullmatch(r"http://127\.0\.0\.1:\d+/s/[0-9a-f]{20}", value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def html_of(session: losswise.Session) -> str:
    session.done()
    html = session._repr_html_()
    assert Checked(html).tags <= {"div", "style", "span", "a", "b", "i", "code", "svg", "path"}
    return html


MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;" * 3


def test_every_text_is_escaped(shell: ZMQInteractiveShell) -> None:
    session = losswise.Session(MARKUP, 100, track_git=False)
    for title in (MARKUP, f"short {MARKUP[:9]}", *(f"{MARKUP} {place}" for place in range(8))):
        session.graph(title, kind="min").append(1, {MARKUP: 1.0, "</style>": math.nan, "a<b": math.inf})
    text = Checked(html_of(session)).text
    assert text.count("<script>alert(1)</script>") > 8
    assert "</style>" in text
    for broken in ("url(", "@import", "expression"):
        assert broken not in STYLE


def test_what_a_chart_tells(shell: ZMQInteractiveShell) -> None:
    session = losswise.Session("net", 200, track_git=False)
    loss = session.graph("loss", kind="min")
    for x in range(100):
        loss.append(x, {"train_loss": 1 / (x + 1), "val_loss": 2 / (x + 1) if x < 70 else math.nan})
    session.graph("accuracy", kind="max").append(0, {"train_accuracy": 0.5})
    text = " ".join(re.sub(r"<style>.*</style>|<[^>]*>", " ", html_of(session)).split())
    assert text == (
        "net complete 100% 99 of 200 "
        "loss min · best 0.0286 NaN at 70 0 1 2 0 99 "
        "last min max train_loss 0.0100 0.0100 1 val_loss NaN 0.0286 2 "
        "accuracy max · best 0.5000 0.45 0.50 0.55 0 last min max train_accuracy 0.5000 0.5000 0.5000"
    )


@pytest.mark.parametrize("names", [1, 2, 6])
def test_a_chart_is_small(shell: ZMQInteractiveShell, names: int) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss", kind="min")
    for x in range(20_000):
        graph.append(x, {f"quantity_{name}": math.sin(x * (1 + name)) * x for name in range(names)})
    html = html_of(session)
    assert 1_000 < len(html.split("lw-card>")[1].encode()) < 3_000 + 250 * names
    assert len(STYLE) < 3_200


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [-0.0, 0.0],
        [1.5] * 500,
        [5e-324, 1e-323],
        [1.0, 1.0 + 2**-52],
        [-1.7e308, 1.7e308],
        [1.79e308] * 1_000,
        [-1.79e308, 1.79e308, 0.0],
        [math.nan, math.inf, -math.inf],
        [1e-9 * x for x in range(1_000)],
        [-1e5 * x for x in range(1_000)],
        [2.0**x for x in range(-1_000, 1_000)],
    ],
)
def test_numbers_of_any_size_are_drawn(shell: ZMQInteractiveShell, values: list[float]) -> None:
    session = losswise.Session(track_git=False)
    for x, value in zip((-(2**63), 2**63 - 1) if len(values) == 2 else range(len(values)), values, strict=True):
        session.log({"loss": value}, x)
    html = html_of(session)
    for path in re.findall(r' d="([^"]*)"', html):
        assert re.fullmatch(r"(M\d+ \d+(h\d+)?(l[-\d ]+)?Z?)+", path), path
    assert "lw-card" in html
    assert not re.search(r"style=\"?(left|top):(?!\d)", html)


def test_six_graphs_are_drawn_and_the_others_named(shell: ZMQInteractiveShell) -> None:
    session = losswise.Session(track_git=False)
    for number in range(9):
        session.graph(f"graph {number}").append(0, {"a": 1.0})
    html = html_of(session)
    assert html.count("<div class=lw-card>") == 6
    assert "graph 6, graph 7, graph 8" in html


def test_outside_of_a_notebook_nothing_is_kept_or_drawn(recorder: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Curve, "add", lambda *values: pytest.fail("drawn"))
    session = losswise.Session("net", track_git=False)
    session.log({"loss": 1.0})
    assert session._curves is None
    assert "graphs: loss" in html_of(session)
    assert ipython.is_notebook() is False


def test_a_session_that_is_kept_only_has_no_link(shell: ZMQInteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_MODE", "offline")
    html = html_of(losswise.Session("net", track_git=False))
    assert "<a " not in html
    assert "losswise sync" in html
