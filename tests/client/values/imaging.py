"""What the tests of images share: pictures, a place that keeps what an ImageThread makes, a slow accelerator."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from losswise_server.ingest.decoding import convert_records
from losswise_server.ingest.schema import ImageRecord
from PIL import Image

from losswise.image_sequence import ImageSequence
from losswise.recording.image_encoder import ImageThread


def picture(seed: int = 0, side: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


class Kept:
    """Where an ImageThread puts things in these tests."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder
        self.records: list[dict[str, Any]] = []
        self.asked_on: set[str] = set()
        self.thread = ImageThread(self._put, self._folder)

    def _put(self, record: dict[str, Any]) -> None:
        assert self.folder is not None
        assert (self.folder / record["sha256"]).exists()
        [checked] = convert_records([record])
        assert isinstance(checked, ImageRecord)
        self.records.append(record)

    def _folder(self) -> Path | None:
        self.asked_on.add(threading.current_thread().name)
        return self.folder

    def sequence(self, x: Any = 7, name: Any = "predictions") -> ImageSequence:
        return ImageSequence(self.thread, x, name)

    def shown(self) -> list[np.ndarray]:
        """The pixels of all records, in their order."""
        assert self.thread.wait(20.0)
        assert self.folder is not None
        return [decoded((self.folder / record["sha256"]).read_bytes()) for record in self.records]


class OnAccelerator:
    """A tensor as Torch gives it, whose values take two seconds to come."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor, self.shape = tensor, tensor.shape

    def detach(self) -> OnAccelerator:
        return self

    def clone(self) -> OnAccelerator:
        return OnAccelerator(self.tensor.clone())

    def cpu(self) -> torch.Tensor:
        time.sleep(2.0)
        return self.tensor

    def __float__(self) -> float:
        time.sleep(2.0)
        return float(self.tensor)
