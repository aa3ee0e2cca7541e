"""How busy the machine is while it trains: processor, memory and NVIDIA GPUs, as graphs of the session."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from losswise.util.guard import guarded_thread
from losswise.util.messages import say_error, say_once

if TYPE_CHECKING:
    from losswise.graph import Graph

FIRST = 1.0
"""Seconds until the first sample."""
EVERY = 10.0
"""Seconds between two samples."""
GIB = 2**30

Sample = dict[str, float]
"""Values by name, of one graph."""
Samples = dict[str, Sample]
"""What was measured, by the graph's title."""

UNITS = {
    "system/cpu": "percent",
    "system/memory": "GiB",
    "system/gpu": "percent",
    "system/gpu_memory": "GiB",
    "system/gpu_temperature": "°C",
}


class SystemMonitor:
    """Appends to a session's 'system/...' graphs every ten seconds, on a thread of its own.

    'system/cpu' has `cpu`, of the whole machine in percent, and `process_cpu`, of this process and its children
    in percent of one core. 'system/memory' has `memory`, what is in use on the machine, and `process_memory`, of
    this process and its children (what they share counts for each), in GiB. 'system/gpu', 'system/gpu_memory'
    and 'system/gpu_temperature' have percent, GiB and °C of each GPU that this process may use: `gpu0` is the
    one to which nvidia-smi gives the number 0.

    Args:
        graph: makes a graph of a title, such as `Session.graph`.
        last_x: the latest x of the training, at which a sample is drawn.
        every: seconds between two samples.

    Example:
        >>> monitor = SystemMonitor(session.graph, lambda: step)
        >>> monitor.start()
        >>> monitor.stop()
    """

    def __init__(
        self, graph: Callable[..., Graph], last_x: Callable[[], int], every: float = EVERY, first: float = FIRST
    ) -> None:
        self._graph = graph
        self._last_x = last_x
        self._every = every
        self._first = first
        self._forked = False
        self._reset()

    def _reset(self) -> None:
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._appending = threading.Lock()

    def start(self) -> None:
        """Start, unless it is at work. In a forked child it has no effect: there the parent's samples go on."""
        if self._forked or (self._thread is not None and not self._stopped.is_set()):
            return
        self._reset()
        self._thread = guarded_thread(self._run, "losswise-system", self._stopped, self._appending)
        self._thread.start()

    def stop(self) -> None:
        """End. Nothing is appended after this call; a measurement that is under way is not waited for."""
        self._stopped.set()
        if self._appending.acquire(timeout=1.0):
            self._appending.release()

    def after_fork(self) -> None:
        """In a forked child: the thread is not there, and its lock may never be let go."""
        self._forked = True
        self._reset()

    def _run(self, stopped: threading.Event, appending: threading.Lock) -> None:
        sources: list[Callable[[], Samples]] = []
        try:
            for source in (_machine(), _gpus()):
                sources += [source] if source is not None else []
        except Exception as error:
            say_error("looking for what to measure of the system", error)
        pause = self._first
        while sources and not stopped.wait(pause):
            pause = self._every
            for source in sources:
                try:
                    self._append(source(), stopped, appending)
                except Exception as error:
                    say_error("measuring the system", error)

    def _append(self, samples: Samples, stopped: threading.Event, appending: threading.Lock) -> None:
        for title, sample in samples.items():
            # a point after the session's end would open it again
            with appending:
                if sample and not stopped.is_set():
                    self._graph(title, ylabel=UNITS[title]).append(self._last_x(), sample)


def _machine() -> Callable[[], Samples] | None:
    try:
        psutil = import_module("psutil")
    except ImportError:
        say_once(
            ("system", "psutil"), "processor and memory are measured with psutil: `pip install 'losswise[system]'`"
        )
        return None
    return _Machine(psutil).measure


def _gpus() -> Callable[[], Samples] | None:
    """None where there is no NVIDIA library, no driver, or no device for this process."""
    try:
        nvml = import_module("pynvml")
        nvml.nvmlInit()
        devices = visible_devices(nvml, os.environ.get("CUDA_VISIBLE_DEVICES"))
    except Exception:
        return None
    return (lambda: _measure_gpus(nvml, devices)) if devices else None


class _Machine:
    """Processor and memory by psutil. Shares of the processor are those since the measurement before."""

    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil
        self._own = psutil.Process()
        self._used, _ = self._processes()
        self._at = time.monotonic()
        psutil.cpu_percent()

    def measure(self) -> Samples:
        used, memory = self._processes()
        now = time.monotonic()
        seconds = sum(total - self._used.get(process, 0.0) for process, total in used.items())
        share = 100.0 * seconds / max(now - self._at, 1e-3)
        self._used, self._at = used, now
        machine = self._psutil.virtual_memory()
        return {
            "system/cpu": {"cpu": self._psutil.cpu_percent(), "process_cpu": share},
            "system/memory": {
                "memory": (machine.total - machine.available) / GIB,
                "process_memory": memory / GIB,
            },
        }

    def _processes(self) -> tuple[dict[Any, float], int]:
        """Seconds of processor that this process and each child has used so far, and bytes of all together."""
        used: dict[Any, float] = {}
        memory = 0
        for process in [self._own, *self._children()]:
            with contextlib.suppress(self._psutil.Error):  # it has just ended, or is not ours to look at
                times = process.cpu_times()
                used[process] = times.user + times.system
                memory += process.memory_info().rss
        return used, memory

    def _children(self) -> list[Any]:
        try:
            return list(self._own.children(recursive=True))
        except self._psutil.Error:
            return []


def _measure_gpus(nvml: Any, devices: dict[str, Any]) -> Samples:
    readings: dict[str, Callable[[Any], float]] = {
        "system/gpu": lambda device: nvml.nvmlDeviceGetUtilizationRates(device).gpu,
        "system/gpu_memory": lambda device: nvml.nvmlDeviceGetMemoryInfo(device).used / GIB,
        "system/gpu_temperature": lambda device: nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU),
    }
    samples: Samples = {}
    for title, read in readings.items():
        sample = samples[title] = {}
        for name, device in devices.items():
            with contextlib.suppress(nvml.NVMLError):  # not every device tells everything
                sample[name] = read(device)
    return samples


def visible_devices(nvml: Any, visible: str | None) -> dict[str, Any]:
    """NVML's handles, by name, of the GPUs that CUDA shows this process.

    Args:
        nvml: the module pynvml, initialized.
        visible: CUDA_VISIBLE_DEVICES: numbers, or beginnings of UUIDs; the first that is none ends the list.
            None: all. CUDA's own numbers may have another order; here they are taken as nvidia-smi's.
    """
    handles = [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]
    if visible is None:
        return {f"gpu{number}": handle for number, handle in enumerate(handles)}
    devices: dict[str, Any] = {}
    for entry in visible.split(","):
        entry = entry.strip()
        if entry.isdecimal():
            numbers = [int(entry)] if int(entry) < len(handles) else []
        elif entry.startswith("MIG-"):
            devices[f"gpu{len(devices)}"] = nvml.nvmlDeviceGetHandleByUUID(entry)
            continue
        else:
            numbers = [number for number, handle in enumerate(handles) if _has_uuid(nvml, handle, entry)]
        if len(numbers) != 1:
            break
        devices[f"gpu{numbers[0]}"] = handles[numbers[0]]
    return devices


def _has_uuid(nvml: Any, handle: Any, beginning: str) -> bool:
    if not beginning:
        return False
    uuid = nvml.nvmlDeviceGetUUID(handle)
    return bool((uuid.decode() if isinstance(uuid, bytes) else uuid).startswith(beginning))
