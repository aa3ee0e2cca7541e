"""What tests of the system's graphs share: graphs without a session, GPUs without a driver."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Graphs:
    """Stands for Session.graph: `points` holds (x, values) by title."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[int, dict[str, float]]]] = {}
        self.labels: dict[str, str] = {}
        self.problem: Exception | None = None

    def graph(self, title: str, ylabel: str = "") -> Any:
        if self.problem is not None:
            raise self.problem
        self.labels[title] = ylabel
        points = self.points.setdefault(title, [])
        return SimpleNamespace(append=lambda x, y: points.append((x, y)))

    def names(self) -> dict[str, set[str]]:
        return {title: {name for _, values in points for name in values} for title, points in self.points.items()}


class FakeNvml(SimpleNamespace):
    """The calls of pynvml that are used, of four devices; the third tells no temperature."""

    class NVMLError(Exception):
        pass

    NVML_TEMPERATURE_GPU = 0
    UUIDS = ("GPU-aaaa1111-0", "GPU-aaaa2222-1", "GPU-bbbb3333-2", "GPU-cccc4444-3")

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.UUIDS)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return number

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        return uuid

    def nvmlDeviceGetUUID(self, device: int) -> bytes | str:  # noqa: N802
        return self.UUIDS[device].encode() if device % 2 else self.UUIDS[device]  # older ones gave bytes

    def nvmlDeviceGetUtilizationRates(self, device: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=10 + device)

    def nvmlDeviceGetMemoryInfo(self, device: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=(device + 1) * 2**30)

    def nvmlDeviceGetTemperature(self, device: int, sensor: int) -> int:  # noqa: N802
        if device == 2:
            raise self.NVMLError("not supported")
        return 40 + device
