"""A PNG of an array or a Pillow image, not larger than a server takes."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from losswise.protocol.limits import MAX_BLOB_BYTES
from losswise.util.messages import say_once

if TYPE_CHECKING:
    from PIL.Image import Image

NEARLY = 1e-3
"""How far a float may be out of 0 to 1 and still be meant so: what interpolation and rounding make of it."""


class ImageError(Exception):
    """This cannot be made an image; the message says why."""


def from_array(array: Any, layout: str) -> Image:
    """The image of a NumPy array whose last axes are `layout`: HW, HWC or CHW, with 1, 3 or 4 channels."""
    from PIL import Image

    array = array.reshape(array.shape[-len(layout) :])
    if layout == "CHW":
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    pixels = _as_bytes(array)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[1 if pixels.ndim == 2 else pixels.shape[2]]
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())


def _as_bytes(array: Any) -> Any:
    """The array as uint8, by the rules that `copied` tells."""
    import numpy

    if array.dtype == numpy.uint8:
        return array
    if array.dtype == numpy.bool_:
        return array.astype(numpy.uint8) * 255
    kind, width = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and width == 2:
        return (array >> 8).astype(numpy.uint8)
    if kind not in "iufV":  # V: bfloat16 and the like
        raise ImageError(f"values of type {array.dtype} are no pixels")
    try:
        values = array.astype(numpy.float32 if kind in "fV" and width <= 4 else numpy.float64)
    except (TypeError, ValueError) as error:
        raise ImageError(f"values of type {array.dtype} are no pixels") from error
    return _scaled(values)


def _scaled(values: Any) -> Any:
    import numpy

    finite = numpy.isfinite(values)
    low = float(values.min(where=finite, initial=numpy.inf))
    high = float(values.max(where=finite, initial=-numpy.inf))
    with numpy.errstate(all="ignore"):
        if low >= -NEARLY and high <= 1 + NEARLY:
            values *= 255
        elif (low < 0 or high > 255) and low < high < math.inf:
            values = (values / 2 - low / 2) / (high / 2 - low / 2) * 255  # halves, as the range may overflow
        values = numpy.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
        return numpy.rint(values).clip(0, 255).astype(numpy.uint8)


def for_png(image: Image) -> Image:
    """The image as L, RGB or RGBA, whichever holds it, without what a camera or an editor noted in it."""
    mode, noted = image.mode, image.info
    if mode in ("I", "F") or mode.startswith("I;16"):
        import numpy

        image = from_array(numpy.asarray(image), "HW")
    elif mode == "1":
        image = image.convert("L")
    elif mode == "LA" or (mode in ("L", "P", "RGB") and "transparency" in noted):
        image = image.convert("RGBA")
    elif mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    fits = "icc_profile" in noted and (image.mode == mode or mode == "P")
    image.info = {"icc_profile": noted["icc_profile"]} if fits else {}
    return image


def fitting(image: Image) -> tuple[bytes, int, int]:
    """Encoded as PNG, scaled down as often as it is larger than a server takes."""
    from PIL import Image

    shown = image
    while len(data := _encoded(shown)) > MAX_BLOB_BYTES:
        factor = 0.95 * math.sqrt(MAX_BLOB_BYTES / len(data))
        size = max(1, int(shown.width * factor)), max(1, int(shown.height * factor))
        say_once(
            "image size",
            f"an image of {image.width} x {image.height} pixels has more than {MAX_BLOB_BYTES >> 20} MiB as PNG; "
            "it is scaled down, as are others of that size",
        )
        shown = image.resize(size, Image.Resampling.LANCZOS)
    return data, shown.width, shown.height


def _encoded(image: Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
