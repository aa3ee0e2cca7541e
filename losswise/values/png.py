"""Turn arrays and Pillow images into PNG files that are not larger than the server accepts."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from losswise.protocol.limits import MAX_BLOB_BYTES
from losswise.util.messages import notify_once

if TYPE_CHECKING:
    from PIL.Image import Image

# How far outside of 0 to 1 a float may be and still count as in that range, after interpolation and rounding
UNIT_RANGE_TOLERANCE = 1e-3


class ImageError(Exception):
    """The object cannot be turned into an image. The message says why, as part of a sentence."""


def from_array(array: Any, layout: str) -> Image:
    """Return the image of a NumPy array of any number type. The axes in front of those of `layout` have length 1.

    Raises:
        ImageError: its values are not numbers.
    """
    from PIL import Image

    array = array.reshape(array.shape[-len(layout) :])
    if layout == "CHW":
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    pixels = _as_bytes(array)
    mode = "L" if pixels.ndim == 2 else {3: "RGB", 4: "RGBA"}[pixels.shape[2]]
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())


def _as_bytes(array: Any) -> Any:
    """Return the array as uint8, by the rules in the docstring of `copy_image`."""
    import numpy

    if array.dtype == numpy.uint8:
        return array
    if array.dtype == numpy.bool_:
        return array.astype(numpy.uint8) * 255
    kind, width = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and width == 2:
        return (array >> 8).astype(numpy.uint8)
    if kind not in "iufV":  # V: bfloat16 and the like
        raise ImageError(f"values of type {array.dtype} are not pixels")
    try:
        values = array.astype(numpy.float32 if kind in "fV" and width <= 4 else numpy.float64)
    except (TypeError, ValueError) as error:
        raise ImageError(f"values of type {array.dtype} are not pixels") from error
    finite = numpy.isfinite(values)
    low = float(values.min(where=finite, initial=numpy.inf))
    high = float(values.max(where=finite, initial=-numpy.inf))
    with numpy.errstate(all="ignore"):
        if low >= -UNIT_RANGE_TOLERANCE and high <= 1 + UNIT_RANGE_TOLERANCE:
            values *= 255
        elif (low < 0 or high > 255) and low < high < math.inf:
            values = (values / 2 - low / 2) / (high / 2 - low / 2) * 255  # halved, since `high - low` may overflow
        values = numpy.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
        return numpy.rint(values).clip(0, 255).astype(numpy.uint8)


def for_png(image: Image) -> Image:
    """Return the image in mode L, RGB or RGBA, without metadata of a camera or editor, such as its location.

    Only a colour profile is kept, if the pixels are still those that it describes.
    """
    mode, metadata = image.mode, image.info
    if mode in ("I", "F") or mode.startswith("I;16"):
        import numpy

        image = from_array(numpy.asarray(image), "HW")
    elif mode == "1":
        image = image.convert("L")
    elif mode == "LA" or (mode in ("L", "P", "RGB") and "transparency" in metadata):
        image = image.convert("RGBA")
    elif mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    fits = "icc_profile" in metadata and (image.mode == mode or mode == "P")
    image.info = {"icc_profile": metadata["icc_profile"]} if fits else {}
    return image


def encode_to_fit(image: Image) -> tuple[bytes, int, int]:
    """Encode as PNG, scaled down until the file has at most `MAX_BLOB_BYTES`. Returns it, its width and its height."""
    from PIL import Image

    shown = image
    while True:
        file = io.BytesIO()
        shown.save(file, "PNG")
        data = file.getvalue()
        if len(data) <= MAX_BLOB_BYTES:
            return data, shown.width, shown.height
        factor = 0.95 * math.sqrt(MAX_BLOB_BYTES / len(data))
        size = max(1, int(shown.width * factor)), max(1, int(shown.height * factor))
        problem = f"{image.width} x {image.height} pixels is larger than {MAX_BLOB_BYTES >> 20} MiB as PNG"
        notify_once("image size", f"an image of {problem}; images of that size are scaled down")
        shown = image.resize(size, Image.Resampling.LANCZOS)
