"""What the tests of images share: pictures, an encoder whose images are kept, a slow accelerator."""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from losswise_server.ingest.decoding import convert_records
from losswise_server.ingest.schema import ImageRecord
from PIL import Image

from losswise.image_sequence import ImageSequence
from losswise.recording.image_encoder import ImageEncoder
from losswise.recording.record_queue import EncodedImage

if TYPE_CHECKING:
    import torch


def picture(seed: int = 0, side: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


class Kept:
    """An encoder, and what it makes.

    Attributes:
        has_room: False: no image is taken now.
    """

    def __init__(self) -> None:
        self.images: list[EncodedImage] = []
        self.put_by: set[str] = set()
        self.has_room = True
        self.encoder = ImageEncoder(self._put)

    def _put(self, image: EncodedImage) -> bool:
        self.put_by.add(threading.current_thread().name)
        [checked] = convert_records([image.record])
        assert isinstance(checked, ImageRecord)
        if self.has_room:
            self.images.append(image)
        return self.has_room

    @property
    def records(self) -> list[dict[str, Any]]:
        return [image.record for image in self.images]

    def sequence(self, x: Any = 7, name: Any = "predictions") -> ImageSequence:
        return ImageSequence(self.encoder, x, name)

    def shown(self) -> list[np.ndarray]:
        """The pixels of all images, in their order."""
        assert self.encoder.wait(20.0)
        return [decoded(image.data) for image in self.images]


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
