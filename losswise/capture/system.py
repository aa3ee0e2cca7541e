"""Sample CPU, memory and NVIDIA GPUs, as graphs of the session."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from losswise.util.guard import guarded_thread
from losswise.util.messages import notify_error, notify_once

if TYPE_CHECKING:
    from losswise.graph import Graph

FIRST_SAMPLE_S = 1.0
SAMPLE_INTERVAL_S = 10.0
GIB = 2**30

# values by name, by the title of their graph
Samples = dict[str, dict[str, float]]

UNITS = {
    "system/cpu": "percent",
    "system/memory": "GiB",
    "system/gpu": "percent",
    "system/gpu_memory": "GiB",
    "system/gpu_temperature": "°C",
}


class SystemMonitor:
    """Appends to a session's 'system/...' graphs every ten seconds, on a thread of its own.

    Graphs and their values:

        system/cpu              cpu             percent, of the whole machine
                                process_cpu     percent of one core, of this process and its children
        system/memory           memory          GiB in use on the machine
                                process_memory  GiB of this process and its children; shared memory counts for each
        system/gpu              gpu0, gpu1 ...  percent, of each GPU that this process may use
        system/gpu_memory       the same        GiB
        system/gpu_temperature  the same        °C

    `gpu0` is the GPU to which nvidia-smi gives the number 0.

    Args:
        make_graph: returns the graph with a title, such as `Session.graph`.
        last_x: returns the latest x of the training, at which a sample is drawn.
        interval, first: seconds between two samples, and until the first one.
    """

    def __init__(
        self,
        make_graph: Callable[..., Graph],
        last_x: Callable[[], int],
        interval: float = SAMPLE_INTERVAL_S,
        first: float = FIRST_SAMPLE_S,
    ) -> None:
        self._make_graph, self._last_x = make_graph, last_x
        self._interval, self._first = interval, first
        self._appending = threading.Lock()
        self._stopped = threading.Event()  # of the latest thread, which may still measure when the next one starts
        self._stopped.set()

    def start(self) -> None:
        """Start, unless it is running."""
        if self._stopped.is_set():
            self._stopped = threading.Event()
            guarded_thread(self._run, "losswise-system", self._stopped).start()

    def stop(self) -> None:
        """Stop. Nothing is appended after this call; it does not wait for a measurement that is under way."""
        self._stopped.set()
        if self._appending.acquire(timeout=1.0):
            self._appending.release()

    def _run(self, stopped: threading.Event) -> None:
        sources = [source for source in (_machine(), _gpus()) if source is not None]
        pause = self._first
        while sources and not stopped.wait(pause):
            pause = self._interval
            for source in sources:
                try:
                    self._append(source(), stopped)
                except Exception as error:
                    notify_error("measuring the system", error)

    def _append(self, samples: Samples, stopped: threading.Event) -> None:
        for title, sample in samples.items():
            # a point after the session's end would open it again
            with self._appending:
                if sample and not stopped.is_set():
                    self._make_graph(title, ylabel=UNITS[title]).append(self._last_x(), sample)


def _machine() -> Callable[[], Samples] | None:
    try:
        psutil = import_module("psutil")
    except ImportError:
        notify_once(("system", "psutil"), "CPU and memory are sampled with psutil: `pip install 'losswise[system]'`")
        return None
    return _Machine(psutil).measure


def _gpus() -> Callable[[], Samples] | None:
    """Return what samples the GPUs; None without an NVIDIA library, a driver, or a device for this process."""
    try:
        nvml = import_module("pynvml")
        nvml.nvmlInit()
        devices = visible_devices(nvml, os.environ.get("CUDA_VISIBLE_DEVICES"))
    except Exception:
        return None
    readings: dict[str, Callable[[Any], float]] = {
        "system/gpu": lambda device: nvml.nvmlDeviceGetUtilizationRates(device).gpu,
        "system/gpu_memory": lambda device: nvml.nvmlDeviceGetMemoryInfo(device).used / GIB,
        "system/gpu_temperature": lambda device: nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU),
    }

    def measure() -> Samples:
        samples: Samples = {title: {} for title in readings}
        for title, read in readings.items():
            for name, device in devices.items():
                with contextlib.suppress(nvml.NVMLError):  # not every device reports everything
                    samples[title][name] = read(device)
        return samples

    return measure if devices else None


class _Machine:
    """Samples CPU and memory with psutil. CPU usage is that since the previous sample."""

    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil
        self._own = psutil.Process()
        self._used: dict[Any, float] = {}  # CPU seconds of this process and each child so far
        self._at = 0.0
        self.measure()  # so that the first sample has a previous one

    def measure(self) -> Samples:
        used: dict[Any, float] = {}
        memory = 0
        processes = [self._own]
        with contextlib.suppress(self._psutil.Error):
            processes += self._own.children(recursive=True)
        for process in processes:
            with contextlib.suppress(self._psutil.Error):  # it has just ended, or belongs to another user
                times = process.cpu_times()
                used[process] = times.user + times.system
                memory += process.memory_info().rss
        now = time.monotonic()
        seconds = sum(total - self._used.get(process, 0.0) for process, total in used.items())
        share = 100.0 * seconds / max(now - self._at, 1e-3)
        self._used, self._at = used, now
        machine = self._psutil.virtual_memory()
        return {
            "system/cpu": {"cpu": self._psutil.cpu_percent(), "process_cpu": share},
            "system/memory": {"memory": (machine.total - machine.available) / GIB, "process_memory": memory / GIB},
        }


def visible_devices(nvml: Any, visible: str | None) -> dict[str, Any]:
    """Return NVML's handles, by name, of the GPUs that CUDA shows this process.

    Args:
        nvml: the module pynvml, initialized.
        visible: CUDA_VISIBLE_DEVICES, or None for all: numbers or prefixes of UUIDs; an invalid one ends the list, as
            in CUDA. Numbers are taken as nvidia-smi's, although CUDA may number the devices in another order.
    """
    handles = [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]
    if visible is None:
        return {f"gpu{number}": handle for number, handle in enumerate(handles)}
    devices: dict[str, Any] = {}
    for entry in map(str.strip, visible.split(",")):
        if entry.startswith("MIG-"):
            devices[f"gpu{len(devices)}"] = nvml.nvmlDeviceGetHandleByUUID(entry)
            continue
        if entry.isdecimal():
            numbers = [number for number in range(len(handles)) if number == int(entry)]
        else:
            uuids = [nvml.nvmlDeviceGetUUID(handle) for handle in handles]
            uuids = [uuid.decode() if isinstance(uuid, bytes) else uuid for uuid in uuids]
            numbers = [number for number, uuid in enumerate(uuids) if entry and uuid.startswith(entry)]
        if len(numbers) != 1:
            break
        devices[f"gpu{numbers[0]}"] = handles[numbers[0]]
    return devices
