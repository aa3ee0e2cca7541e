"""The system's graphs: what they hold, for which devices, and that they never disturb the training."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

import losswise
from losswise.capture import system
from losswise.capture.system import SystemMonitor, visible_devices
from tests.client.conftest import Script, journal_records
from tests.client.fake_server import FakeServer
from tests.client.measuring import FakeNvml, Graphs
from tests.support.server import eventually

FAST = {"interval": 0.05, "first": 0.05}


@pytest.fixture
def graphs() -> Graphs:
    return Graphs()


@pytest.fixture
def start(graphs: Graphs) -> Iterator[Callable[..., SystemMonitor]]:
    started: list[SystemMonitor] = []

    def begin(**options: Any) -> SystemMonitor:
        monitor = SystemMonitor(graphs.graph, options.pop("last_x", lambda: 7), **{**FAST, **options})
        monitor.start()
        started.append(monitor)
        return monitor

    yield begin
    for monitor in started:
        monitor.stop()


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fake


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


def test_processor_and_memory(
    start: Callable[..., SystemMonitor], graphs: Graphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "pynvml")
    start(last_x=lambda: 41)
    eventually(lambda: len(graphs.points.get("system/memory", [])) >= 3)
    assert graphs.names() == {
        "system/cpu": {"cpu", "process_cpu"},
        "system/memory": {"memory", "process_memory"},
    }
    assert graphs.labels == {"system/cpu": "percent", "system/memory": "GiB"}
    assert {x for points in graphs.points.values() for x, _ in points} == {41}
    values = graphs.points["system/memory"][-1][1]
    own = psutil.Process().memory_info().rss / 2**30
    assert 0.5 * own < values["process_memory"] < 10 * own + 1
    assert 0 < values["memory"] <= psutil.virtual_memory().total / 2**30
    assert all(0 <= values["cpu"] <= 100 for _, values in graphs.points["system/cpu"])


def test_busy_children_count_as_this_process(
    start: Callable[..., SystemMonitor], graphs: Graphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "pynvml")
    start(interval=0.5)
    eventually(lambda: graphs.points.get("system/cpu"))
    busy = "block = bytearray(200_000_000)\nwhile True: pass"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])"
    child = subprocess.Popen([sys.executable, "-c", parent])
    try:
        before = graphs.points["system/memory"][0][1]["process_memory"]
        eventually(lambda: graphs.points["system/cpu"][-1][1]["process_cpu"] > 15)  # other tests are busy, too
        eventually(lambda: graphs.points["system/memory"][-1][1]["process_memory"] > before + 0.15)
    finally:
        for process in psutil.Process(child.pid).children(recursive=True):
            process.kill()
        child.wait()
    eventually(lambda: graphs.points["system/cpu"][-1][1]["process_cpu"] < 15)


def test_a_graph_for_each_reading_of_the_gpus(
    start: Callable[..., SystemMonitor], graphs: Graphs, nvml: FakeNvml
) -> None:
    start()
    eventually(lambda: graphs.points.get("system/gpu_temperature"))
    assert graphs.points["system/gpu"][0] == (7, {"gpu0": 10, "gpu1": 11, "gpu2": 12, "gpu3": 13})
    assert graphs.points["system/gpu_memory"][0] == (7, {"gpu0": 1.0, "gpu1": 2.0, "gpu2": 3.0, "gpu3": 4.0})
    assert graphs.points["system/gpu_temperature"][0] == (7, {"gpu0": 40, "gpu1": 41, "gpu3": 43})
    assert graphs.labels["system/gpu_temperature"] == "°C"


def test_only_devices_that_cuda_shows_are_measured(
    start: Callable[..., SystemMonitor], graphs: Graphs, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    start()
    eventually(lambda: graphs.points.get("system/gpu_temperature"))
    assert graphs.points["system/gpu"][0] == (7, {"gpu3": 13, "gpu1": 11})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    hidden = Graphs()
    monitor = SystemMonitor(hidden.graph, lambda: 0, **FAST)
    monitor.start()
    eventually(lambda: len(hidden.points.get("system/cpu", [])) > 2)
    monitor.stop()
    assert set(hidden.points) == {"system/cpu", "system/memory"}


@pytest.mark.parametrize(
    ("visible", "numbers"),
    [
        (None, [0, 1, 2, 3]),
        ("0", [0]),
        ("2, 0", [2, 0]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1,-1,2", [1]),
        ("1,9,2", [1]),
        ("GPU-bbbb3333-2", [2]),
        ("GPU-cccc,GPU-aaaa2222", [3, 1]),
        ("GPU-aaaa", []),  # of two devices: CUDA takes none
        ("GPU-dddd,0", []),
    ],
)
def test_what_cuda_visible_devices_means(nvml: FakeNvml, visible: str | None, numbers: list[int]) -> None:
    assert visible_devices(nvml, visible) == {f"gpu{number}": number for number in numbers}


def test_a_part_of_a_gpu(nvml: FakeNvml) -> None:
    assert visible_devices(nvml, "MIG-1234,MIG-5678") == {"gpu0": "MIG-1234", "gpu1": "MIG-5678"}


def test_a_reading_that_no_device_gives_has_no_graph(
    start: Callable[..., SystemMonitor], graphs: Graphs, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    start()
    eventually(lambda: len(graphs.points.get("system/gpu", [])) > 2)
    assert "system/gpu_temperature" not in graphs.points


def test_the_first_sample_comes_early(start: Callable[..., SystemMonitor], graphs: Graphs) -> None:
    start(interval=60.0)
    eventually(lambda: graphs.points.get("system/memory"))
    time.sleep(0.3)
    assert len(graphs.points["system/memory"]) == 1


def test_without_psutil_one_sentence_and_the_gpus(
    start: Callable[..., SystemMonitor],
    graphs: Graphs,
    nvml: FakeNvml,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without(monkeypatch, "psutil")
    start()
    start()
    eventually(lambda: len(graphs.points.get("system/gpu", [])) > 5)
    assert set(graphs.points) == {"system/gpu", "system/gpu_memory", "system/gpu_temperature"}
    [line] = capsys.readouterr().err.splitlines()
    assert "pip install 'losswise[system]'" in line


def test_without_both_the_thread_ends(
    start: Callable[..., SystemMonitor], graphs: Graphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "psutil", "pynvml")
    start()
    eventually(lambda: not any(thread.name == "losswise-system" for thread in threading.enumerate()))
    assert graphs.points == {}


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"])
def test_without_a_driver_nothing_is_said_of_gpus(
    start: Callable[..., SystemMonitor],
    graphs: Graphs,
    nvml: FakeNvml,
    capsys: pytest.CaptureFixture[str],
    call: str,
) -> None:
    def fail(*arguments: Any) -> None:
        raise nvml.NVMLError("Driver Not Loaded")

    setattr(nvml, call, fail)
    start()
    eventually(lambda: len(graphs.points.get("system/memory", [])) > 2)
    assert set(graphs.points) == {"system/cpu", "system/memory"}
    assert capsys.readouterr().err == ""


def test_the_real_library_without_a_driver_is_passed_over_too() -> None:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert system._gpus() is None
    else:
        pytest.skip("this machine has a driver")


def test_an_error_is_one_warning_and_the_next_sample_comes(
    start: Callable[..., SystemMonitor], graphs: Graphs, nvml: FakeNvml, capsys: pytest.CaptureFixture[str]
) -> None:
    graphs.problem = ValueError("no graph today")
    start()
    time.sleep(0.4)
    graphs.problem = None
    eventually(lambda: graphs.points.get("system/gpu"))
    [line] = capsys.readouterr().err.splitlines()
    assert "no graph today" in line


def test_after_stop_nothing_is_appended(
    start: Callable[..., SystemMonitor], graphs: Graphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "pynvml")
    measuring, go_on = threading.Event(), threading.Event()

    def slow(self: Any) -> system.Samples:
        measuring.set()
        go_on.wait(10)
        return {"system/cpu": {"cpu": 1.0}}

    monkeypatch.setattr(system._Machine, "measure", slow)
    monitor = start()
    assert measuring.wait(10)
    began = time.monotonic()
    monitor.stop()
    assert time.monotonic() - began < 0.5
    go_on.set()
    time.sleep(0.2)
    assert graphs.points == {}
    monitor.start()  # the session goes on
    eventually(lambda: graphs.points.get("system/cpu"))


def test_starting_twice_is_one_thread(start: Callable[..., SystemMonitor], graphs: Graphs) -> None:
    monitor = start(first=60.0)
    monitor.start()
    assert sum(thread.name == "losswise-system" for thread in threading.enumerate()) == 1
    monitor.stop()
    monitor.stop()
    eventually(lambda: not any(thread.name == "losswise-system" for thread in threading.enumerate()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_monitor(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, console=False, system=True)
    collectors = session._collectors
    assert collectors is not None
    monitor = collectors._capturing["system"]
    assert isinstance(monitor, SystemMonitor)
    receiver, sender = multiprocessing.get_context("fork").Pipe()
    with monitor._appending:  # as when the thread is in the middle of it
        pid = os.fork()
        if pid == 0:
            try:
                session.graph("loss").append(0, {"loss": 1.0})
                sender.send([thread.name for thread in threading.enumerate()])
                session.done(timeout=5.0)
                sender.send("done")
            finally:
                os._exit(0)
    try:
        assert receiver.poll(20)
        assert {"losswise-system", "losswise-journal"} & set(receiver.recv()) == {"losswise-journal"}
        assert receiver.poll(20)
        assert receiver.recv() == "done"
    finally:
        os.waitpid(pid, 0)
        session.done()


def test_a_sessions_system_graphs_share_its_x(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, console=False, system=True)
    graph = session.graph("loss")
    for x in range(124):
        graph.append(x, {"loss": 1.0})
    eventually(lambda: recorder.points("process_memory"))
    session.done()
    titles = {record["title"] for record in recorder.records("graph")}
    assert {"system/cpu", "system/memory"} <= titles
    [(x, memory), *_] = recorder.points("process_memory")
    assert x == 123 or x == 0  # the journal writer may not have written the points yet
    assert memory > 0
    [last] = recorder.records("status")
    assert last["status"] == "complete"


def test_a_session_without_it_has_no_such_thread(script: Callable[..., Script], tmp_path: Any) -> None:
    run = script(
        """
        import sys, threading
        import losswise
        session = losswise.Session(track_git=False)
        assert not any(thread.name == "losswise-system" for thread in threading.enumerate())
        assert not {"psutil", "pynvml"} & set(sys.modules)
        session.done()
        """,
        LW_MODE="offline",
    )
    assert run.wait() == 0, run.errors
    assert not any(record.get("title", "").startswith("system") for record in journal_records(tmp_path / "journals"))
